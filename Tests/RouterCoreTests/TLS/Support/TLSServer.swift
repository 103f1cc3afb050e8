import NIOCore
import NIOPosix
import Synchronization

@testable import RouterCore

/// A server for tests that speaks HTTP/1.1 over TLS, as much of it as answering with what the handshake brought.
final class TLSServer: Sendable {
    let port: Int
    private let channel: any Channel

    static func with<R: Sendable>(
        _ certificates: CertificateStore, challenges: ACMEChallenges = ACMEChallenges(),
        _ body: (TLSServer) async throws -> R
    ) async throws -> R {
        let server = try await TLSServer(TLSAcceptor(certificates: certificates, challenges: challenges))
        do {
            let result = try await body(server)
            try await server.channel.close().get()
            return result
        } catch {
            try? await server.channel.close().get()
            throw error
        }
    }

    private init(_ acceptor: TLSAcceptor) async throws {
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try acceptor.configure(channel.pipeline.syncOperations)
                    try channel.pipeline.syncOperations.addHandler(Handler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var facts: TLSHandshakeFacts?
        private var received: [UInt8] = []

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let facts = event as? TLSHandshakeFacts { self.facts = facts }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += Array(self.unwrapInboundIn(data).readableBytesView)
            guard self.received.suffix(4).elementsEqual("\r\n\r\n".utf8) else { return }
            let body =
                self.facts.map {
                    "name=\($0.serverName ?? "-") protocol=\($0.applicationProtocol) version=\($0.version) "
                        + "client=\($0.clientSubject ?? "-")\n"
                } ?? "no facts\n"
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
