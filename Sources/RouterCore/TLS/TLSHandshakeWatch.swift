import NIOCore
import NIOSSL
import NIOTLS

/// The handler behind TLS: keeps the time limit of the handshake, and tells those behind it what came of it.
final class TLSHandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: Duration
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    private var handshake: (handler: NIOSSLServerHandler, serverName: String?)?
    private var isChallenge = false

    init(timeout: Duration) { self.timeout = timeout }

    /// The client's first message was read; the handshake goes on with this handler.
    func begin(_ handler: NIOSSLServerHandler, serverName: String?, isChallenge: Bool) {
        self.handshake = (handler, serverName)
        self.isChallenge = isChallenge
    }

    /// The client was refused and should close soon.
    func linger() { self.schedule(.seconds(2)) }

    private func schedule(_ time: Duration) {
        guard let context = self.context else { return }
        self.deadline?.cancel()
        self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) {
            context.close(promise: nil)
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.schedule(self.timeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end()
        self.context = nil
    }

    private func end() {
        self.deadline?.cancel()
        self.deadline = nil
        self.handshake = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // An authority has nothing to say after its handshake.
        if !self.isChallenge { context.fireChannelRead(data) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
            self.completed(negotiated, context)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func completed(_ negotiated: String?, _ context: ChannelHandlerContext) {
        guard let handshake = self.handshake else { return }
        self.end()
        guard !self.isChallenge else {
            context.close(promise: nil)
            return
        }
        let facts = TLSHandshakeFacts(
            serverName: handshake.serverName, applicationProtocol: negotiated == "h2" ? .http2 : .http1,
            version: handshake.handler.tlsVersion == .tlsv12 ? .tls12 : .tls13,
            clientSubject: handshake.handler.peerCertificate.map(Self.subject))
        context.fireUserInboundEventTriggered(facts)
    }

    private static func subject(_ certificate: NIOSSLCertificate) -> String {
        (try? certificate.toDERBytes()).flatMap(CertificateNames.init(certificate:))?.subject ?? ""
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The client closed without TLS's goodbye, as many do. HTTP knows by itself whether a message is whole.
        if case .uncleanShutdown? = error as? NIOSSLError { return }
        context.fireErrorCaught(error)
    }
}
