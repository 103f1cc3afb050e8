import NIOCore
import NIOSSL

/// Puts TLS in front of the handlers of accepted connections.
///
/// A small handler reads the ClientHello to the end, chooses the certificate (or the alert) by what it says, puts the
/// TLS library's handler with that certificate's context in its place, and leaves. The library can itself choose a
/// certificate by the host, but builds it anew for each connection, waits for the event loop, and does not show the
/// protocols that the client offers.
struct TLSAcceptor: Sendable {
    let certificates: CertificateStore
    let challenges: ACMEChallenges

    init(certificates: CertificateStore, challenges: ACMEChallenges) {
        self.certificates = certificates
        self.challenges = challenges
    }

    /// Makes ready a connection that has just been accepted. Handlers added afterwards see plain bytes, and
    /// ``TLSHandshakeFacts`` as a user event before the first of them.
    func configure(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        let watch = TLSHandshakeWatch(timeout: self.certificates.settings.handshakeTimeout)
        try pipeline.addHandlers([TLSAcceptHandler(self, watch), watch])
    }

    enum Decision {
        case handshake(NIOSSLContext)
        case challenge(NIOSSLContext)
        case refuse(TLSAlert)
    }

    /// Decides what a client is answered with.
    func decide(_ hello: ClientHello) -> Decision {
        if hello.isChallenge {
            guard let context = hello.host.flatMap(self.challenges.context(host:)) else {
                return .refuse(.noApplicationProtocol)
            }
            return .challenge(context)
        }
        let speaksOurs = hello.offersHTTP1 || (hello.offersHTTP2 && self.certificates.settings.http2)
        if hello.offersProtocols, !speaksOurs { return .refuse(.noApplicationProtocol) }
        guard let context = self.certificates.context(host: hello.host) else { return .refuse(.unrecognizedName) }
        return .handshake(context)
    }
}
