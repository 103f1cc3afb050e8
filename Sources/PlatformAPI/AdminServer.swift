internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOExtras
internal import NIOPosix
internal import ServiceLifecycle

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Accepts connections, on a socket of its own or on one that listens already, which Hummingbird's server cannot.
struct AdminServer: Service {
    let connections: UpgradableHTTPChannel
    let configuration: APIServer.Configuration
    /// Told where it listens.
    let onListening: @Sendable (any Channel) -> Void
    let logger: Logger

    func run() async throws {
        let quiescing = ServerQuiescingHelper(group: self.configuration.eventLoopGroup)
        let limit = self.configuration.maximumConnections
        let logger = self.logger
        let connections = self.connections
        let bootstrap = ServerBootstrap(group: self.configuration.eventLoopGroup)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        AvailableConnectionsChannelHandler(
                            delegate: MaximumAvailableConnections(limit, logger: logger)),
                        quiescing.makeServerChannelHandler(channel: channel),
                    ])
                }
            }
        let server: NIOAsyncChannel<UpgradableHTTPChannel.Value, Never>
        if let socket = self.configuration.listeningSocket {
            server = try await bootstrap.bind(fcntl(socket, F_DUPFD_CLOEXEC, 3)) {
                connections.setup(channel: $0, logger: logger)
            }
        } else {
            server = try await bootstrap.bind(host: self.configuration.host, port: self.configuration.port) {
                connections.setup(channel: $0, logger: logger)
            }
        }
        self.onListening(server.channel)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                do {
                    try await server.executeThenClose { inbound in
                        for try await connection in inbound {
                            group.addTask { await connections.handle(value: connection, logger: logger) }
                        }
                    }
                } catch {
                    logger.error("the API accepts no more connections", metadata: ["error": "\(error)"])
                }
            }
        } onGracefulShutdown: {
            quiescing.initiateShutdown(promise: nil)
        }
    }

    /// What answers requests: the routes, and what every answer has.
    static func responder(
        of router: Router<APIContext>, logger: Logger
    ) -> HTTPChannelHandler.Responder {
        let responder = router.buildResponder()
        return { request, writer, channel in
            let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            var response: Response
            do {
                response = try await responder.respond(to: request, context: context)
            } catch {
                logger.debug("a request was not answered by any route", metadata: ["error": "\(error)"])
                response = Response(status: .internalServerError)
            }
            response.headers[.date] = httpDate(secondsSince1970: Int(Date().timeIntervalSince1970))
            response.headers[.server] = "slipway"
            try await writer.write(response: response.head, body: response.body)
        }
    }
}

/// The socket that a server listens on, as a descriptor of its own: it goes on listening when the server has ended, so that
/// nobody is refused until the next one takes it.
func duplicateSocket(of channel: any Channel) async throws -> CInt {
    try await channel.eventLoop.submit {
        let copy = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            fcntl($0, F_DUPFD_CLOEXEC, 3)
        }
        guard let copy, copy >= 0 else { throw IOError(errnoCode: errno, reason: "dup") }
        return copy
    }.get()
}
