import NIOSSL
import Synchronization

/// The answers to an ACME authority that asks for a proof that a host is ours, while it is asking.
///
/// Who orders certificates sets them; the router answers with them. The same value is given to both.
public final class ACMEChallenges: Sendable {
    private let state = Mutex(State())
    /// Read without the lock by every request over plain HTTP, nearly all of which come when nothing is asked.
    private let count = Atomic(0)

    private struct State {
        var tokens: [String: String] = [:]
        var contexts: [String: NIOSSLContext] = [:]
        var count: Int { self.tokens.count + self.contexts.count }
    }

    /// Where HTTP-01 is answered; the token follows.
    public static let pathPrefix = "/.well-known/acme-challenge/"

    /// Makes one that answers nothing.
    public init() {}

    private func change(_ body: (inout State) -> Void) {
        self.state.withLock { state in
            body(&state)
            self.count.store(state.count, ordering: .releasing)
        }
    }

    // MARK: HTTP-01

    /// Answers a token over plain HTTP from now on, at ``pathPrefix`` and the token, for every host.
    public func setHTTP(token: String, keyAuthorization: String) {
        self.change { $0.tokens[token] = keyAuthorization }
    }

    /// Stops answering a token.
    public func removeHTTP(token: String) { self.change { $0.tokens[token] = nil } }

    /// The body of the answer (200, `text/plain` or `application/octet-stream`) to a request for this path, or nil
    /// when it is not one for a challenge that is being made. Costs next to nothing while there is none.
    ///
    /// - Parameter path: the request's path as it came, without a query.
    public func answer(path: UnsafeRawBufferPointer) -> String? {
        guard self.count.load(ordering: .acquiring) > 0 else { return nil }
        let prefix = Self.pathPrefix.utf8
        guard path.count > prefix.count, path.count <= prefix.count + 256, path.starts(with: prefix) else { return nil }
        let token = String(decoding: path.dropFirst(prefix.count), as: UTF8.self)
        return self.state.withLock { $0.tokens[token] }
    }

    // MARK: TLS-ALPN-01

    /// Answers handshakes by which an authority checks this host (ALPN `acme-tls/1`) with this certificate from now
    /// on, and no others.
    ///
    /// - Parameters:
    ///   - host: the host that is checked, no wildcard.
    ///   - certificate: the self-signed certificate of RFC 8737.
    /// - Throws: ``TLSError`` when the host is none, or the certificate cannot be used.
    public func setTLSALPN(host: String, certificate: TLSCertificate) throws(TLSError) {
        guard let name = CertificateHost(host), !name.isWildcard else {
            throw TLSError(.invalidHost, "'\(host.printable)' is not a host that can be checked.")
        }
        let context = try TLSSettings.makeChallengeContext(for: certificate)
        self.change { $0.contexts[name.text] = context }
    }

    /// Stops answering such handshakes for this host.
    public func removeTLSALPN(host: String) {
        guard let name = CertificateHost(host) else { return }
        self.change { $0.contexts[name.text] = nil }
    }

    func context(host: CertificateHost) -> NIOSSLContext? {
        self.state.withLock { $0.contexts[host.text] }
    }
}
