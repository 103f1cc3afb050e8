import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Speaks to an authority over HTTPS.
public final class HTTPACMETransport: ACMETransport {
    /// Its limits.
    public struct Configuration: Sendable {
        /// How long making a connection may take: 10 s.
        public var connectTimeout: Duration = .seconds(10)
        /// How long a request may take altogether: 30 s.
        public var requestTimeout: Duration = .seconds(30)
        /// The largest answer in bytes: 1 MiB.
        public var maxResponseBytes = 1 << 20
        /// Who is asking, as the protocol demands to be told: `slipway-acme`. Add how to reach you.
        public var userAgent = "slipway-acme"
        /// The authorities that sign the ACME server's own certificate, as PEM; nil for those this machine trusts.
        /// Needed for a private ACME server.
        public var trustRoots: [UInt8]?

        /// The defaults.
        public init() {}
    }

    private enum State {
        case idle
        case running(HTTPClient)
        case shutDown
    }

    private let configuration: Configuration
    private let tls: TLSConfiguration
    private let state = Mutex(State.idle)

    /// Makes a transport. It opens nothing until the first request; whoever uses it without a manager calls
    /// ``shutDown()`` in the end.
    ///
    /// - Throws: ``ACMEError`` when there is no certificate among the trust roots.
    public init(configuration: Configuration = Configuration()) throws(ACMEError) {
        self.configuration = configuration
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let roots = configuration.trustRoots {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(roots))
            } catch {
                throw ACMEError(
                    .invalidConfiguration, "There is no usable certificate among the trust roots for the ACME server.",
                    cause: error)
            }
        }
        self.tls = tls
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// - Throws: what kept the answer from coming, or ``ACMEError`` after ``shutDown()``. Cancellation ends the request.
    public func send(_ request: ACMERequest) async throws -> ACMEResponse {
        let client = try self.client()
        var outgoing = HTTPClientRequest(url: request.url)
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        outgoing.headers.add(name: "User-Agent", value: self.configuration.userAgent)
        if request.method == .post {
            outgoing.headers.add(name: "Content-Type", value: "application/jose+json")
            outgoing.body = .bytes(ByteBuffer(bytes: request.body))
        }
        let answer = try await client.execute(outgoing, timeout: TimeAmount(self.configuration.requestTimeout))
        let body = try await answer.body.collect(upTo: self.configuration.maxResponseBytes)
        return ACMEResponse(
            status: Int(answer.status.code), headers: answer.headers.map { ($0.name, $0.value) },
            body: Array(body.readableBytesView))
    }

    /// Closes its connections.
    public func shutDown() async {
        let client = self.state.withLock { state -> HTTPClient? in
            defer { state = .shutDown }
            if case .running(let client) = state { return client }
            return nil
        }
        try? await client?.shutdown()
    }

    private func client() throws -> HTTPClient {
        try self.state.withLock { state in
            switch state {
            case .running(let client): return client
            case .shutDown: throw ACMEError(.unreachable, "The transport to the ACME server was shut down.")
            case .idle:
                let configuration = HTTPClient.Configuration(
                    tlsConfiguration: self.tls, redirectConfiguration: .disallow,
                    timeout: .init(connect: TimeAmount(self.configuration.connectTimeout)))
                let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
                state = .running(client)
                return client
            }
        }
    }
}
