import NIOCore
import NIOSSL

/// How TLS is spoken: one set of rules for all certificates of a ``CertificateStore``.
///
/// What cannot be set is fixed to what is right today: forward-secret AEAD cipher suites only, the post-quantum hybrid
/// X25519MLKEM768 and the usual curves, no renegotiation, no early data, no logging of keys. Sessions are resumed by
/// tickets whose keys belong to one certificate, are made and rotated in memory, and are never shared or stored: a
/// ticket is good at this process, for this certificate, until either is replaced. OCSP responses are not stapled,
/// because the TLS library cannot.
public struct TLSSettings: Sendable {
    /// A version of TLS.
    public enum Version: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// TLS 1.2.
        case tls12
        /// TLS 1.3.
        case tls13

        /// `TLSv1.2` or `TLSv1.3`.
        public var description: String {
            switch self {
            case .tls12: "TLSv1.2"
            case .tls13: "TLSv1.3"
            }
        }
    }

    /// Whether clients are asked for a certificate of their own (mutual TLS).
    public struct ClientAuthentication: Sendable {
        enum Mode { case request, require }
        var mode: Mode?
        var roots: [NIOSSLCertificate] = []

        /// Clients are not asked: the default.
        public static let none = Self(mode: nil)

        /// Clients are asked, and may go on without one. One that they present must be good.
        ///
        /// - Parameter roots: the authorities that issue client certificates, as PEM.
        /// - Throws: ``TLSError`` when there is no certificate in it, or a malformed one.
        public static func requested(roots: [UInt8]) throws(TLSError) -> Self {
            Self(mode: .request, roots: try TLSCertificate.parseChain(roots, in: "the authorities of clients"))
        }

        /// Clients without a good certificate cannot connect.
        ///
        /// - Parameter roots: the authorities that issue client certificates, as PEM.
        /// - Throws: ``TLSError`` when there is no certificate in it, or a malformed one.
        public static func required(roots: [UInt8]) throws(TLSError) -> Self {
            Self(mode: .require, roots: try TLSCertificate.parseChain(roots, in: "the authorities of clients"))
        }
    }

    /// What a client gets that asks for a host without a certificate.
    public enum UnknownHost: Sendable, Hashable {
        /// The default certificate, which the client will not trust but a person can look at. Without one it is
        /// refused.
        case defaultCertificate
        /// The alert `unrecognized_name`. Clients that name no host still get the default certificate.
        case refuse
    }

    /// The oldest version that is spoken: TLS 1.2.
    public var minimumVersion = Version.tls12
    /// Whether HTTP/2 is offered (ALPN `h2`), beside HTTP/1.1: true.
    public var http2 = true
    /// Whether clients show certificates: no.
    public var clientAuthentication = ClientAuthentication.none
    /// What is answered for a host without a certificate: the default certificate.
    public var unknownHost = UnknownHost.defaultCertificate
    /// How long a handshake may take from the start of the connection: 10 s, then the connection is closed.
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long the client's goodbye is waited for when a connection is closed: 1 s.
    public var shutdownTimeout: Duration = .seconds(1)

    /// The defaults.
    public init() {}
}

extension TLSSettings {
    /// What TLS 1.2 may use; TLS 1.3 has good suites only. Neither CBC, nor RSA key exchange, nor anything that
    /// HTTP/2 forbids.
    private static let cipherSuites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    /// The longest ClientHello that is read. With post-quantum keys and a session ticket it has about 2 KiB.
    static let maxClientHelloBytes = 16_384

    /// Makes what handshakes with one certificate use. Costly: never on an event loop.
    func makeContext(for certificate: TLSCertificate) throws(TLSError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificate.chain.map { .certificate($0) }, privateKey: .privateKey(certificate.key))
        configuration.minimumTLSVersion = self.minimumVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.applicationProtocols = self.http2 ? ["h2", "http/1.1"] : ["http/1.1"]
        configuration.shutdownTimeout = TimeAmount(self.shutdownTimeout)
        if let mode = self.clientAuthentication.mode {
            configuration.trustRoots = .certificates(self.clientAuthentication.roots)
            configuration.certificateVerification = mode == .require ? .noHostnameVerification : .optionalVerification
            configuration.sendCANameList = true
        }
        return try Self.makeContext(configuration)
    }

    /// The same for the certificate that answers a TLS-ALPN-01 challenge.
    static func makeChallengeContext(for certificate: TLSCertificate) throws(TLSError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificate.chain.map { .certificate($0) }, privateKey: .privateKey(certificate.key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = [ClientHello.challengeProtocol]
        configuration.shutdownTimeout = .seconds(1)
        return try self.makeContext(configuration)
    }

    static func makeContext(_ configuration: TLSConfiguration) throws(TLSError) -> NIOSSLContext {
        var configuration = configuration
        configuration.cipherSuites = self.cipherSuites
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSError(.refused, "The TLS library does not accept the certificate and its key.", cause: error)
        }
    }
}
