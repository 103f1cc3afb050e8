internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
public import Logging
internal import NIOCore
internal import PlatformKit
public import ServiceLifecycle
internal import Synchronization

/// The admin address of a platform: HTTP API, git endpoint, dashboard, health and metrics.
///
/// It is a face of the platform and keeps nothing itself but the answers to requests with an `Idempotency-Key`.
public final class APIServer: Service {
    private let platform: any ControlPlane
    private let configuration: Configuration
    private let logger: Logger
    private let address = ListeningAddress()
    private let channel = Mutex<(any Channel)?>(nil)

    /// Makes a server of a platform. Nothing happens before ``run()``.
    public init(platform: any ControlPlane, configuration: Configuration, logger: Logger) {
        self.platform = platform
        self.configuration = configuration
        self.logger = logger
    }

    /// Waits until the server listens, and returns its address: `127.0.0.1:8081`.
    ///
    /// Throws why it does not listen, and `CancellationError` when the task is cancelled.
    public func listening() async throws -> String {
        try await self.address.value()
    }

    /// The socket that the server listens on, as a descriptor of the caller's own, once it listens. As long as that is open,
    /// connections wait when no server runs, and none is refused; ``Configuration/listeningSocket`` gives it to the next.
    ///
    /// Throws as ``listening()`` does, and what the system says when there are no more descriptors.
    public func listeningSocket() async throws -> CInt {
        _ = try await self.listening()
        guard let channel = self.channel.withLock({ $0 }) else { throw CancellationError() }
        return try await duplicateSocket(of: channel)
    }

    /// Serves until the surrounding task is cancelled or shut down gracefully.
    ///
    /// A graceful shutdown ends log tails at once, gives other streams ``Configuration/shutdownGrace`` before it cancels
    /// their operations, and returns when the last response has been sent.
    ///
    /// - Throws: `PlatformError` when the directory for uploads cannot be used, and what the system says when the address
    ///   cannot be bound.
    public func run() async throws {
        do {
            let uploads = self.uploads
            try uploads.prepare()
            try await self.server(self.router(uploads: uploads)).run()
            self.address.resolve(.failure(CancellationError()))
        } catch {
            self.address.resolve(.failure(error))
            throw error
        }
    }

    private var uploads: UploadReceiver {
        UploadReceiver(
            directory: self.configuration.uploadDirectory, limit: self.configuration.uploadLimit,
            threadPool: self.configuration.threadPool)
    }

    /// All routes but git's.
    func router(uploads: UploadReceiver) -> Router<APIContext> {
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        OpenRoutes(platform: self.platform).add(to: router)
        APIRoutes(
            router: router, platform: self.platform, configuration: self.configuration, stream: self.stream,
            uploads: uploads
        ).add()
        return router
    }

    private var stream: OperationStream {
        OperationStream(
            keepAliveInterval: self.configuration.keepAliveInterval, shutdownGrace: self.configuration.shutdownGrace,
            clock: self.configuration.clock)
    }

    private func server(_ router: Router<APIContext>) -> AdminServer {
        let git = GitEndpoint(platform: self.platform, prefix: self.configuration.gitPrefix, logger: self.logger)
        let authenticator = Authenticator(platform: self.platform)
        let address = self.address
        let respond = AdminServer.responder(of: router, logger: self.logger)
        let connections = UpgradableHTTPChannel(
            responder: { request, writer, channel in
                if request.headers[.expect]?.lowercased() == "100-continue" {
                    // Whoever may not come in gets the final answer now, and need not send the body.
                    if (try? await authenticator.principal(for: request.headers)) != nil {
                        try await writer.writeInformationalHead(HTTPResponse(status: .continue))
                    }
                }
                if git.matches(request) {
                    try await git.respond(to: request, writer, channel: channel)
                } else {
                    try await respond(request, writer, channel)
                }
            },
            sockets: OneOffSocket(
                platform: self.platform, messageLimit: self.configuration.bodyLimit, stream: self.stream,
                keepAliveInterval: self.configuration.keepAliveInterval),
            idleTimeout: self.configuration.idleTimeout)
        return AdminServer(
            connections: connections, configuration: self.configuration,
            onListening: { channel in
                self.channel.withLock { $0 = channel }
                address.resolve(Result { try Self.text(of: channel.localAddress) })
            }, logger: self.logger)
    }

    private static func text(of address: SocketAddress?) throws(PlatformError) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else {
            throw PlatformError(.internalError, "The server listens, but the system does not say where.")
        }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
