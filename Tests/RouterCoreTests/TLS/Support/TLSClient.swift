import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// A client for tests that makes a handshake and then waits until the server closes.
struct TLSClient {
    /// What came of a handshake.
    struct Outcome: Sendable {
        var isComplete = false
        var negotiated: String?
        /// The names of the server's certificate.
        var names: [String] = []
        var received = ""
        var error: String?
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var outcome = Outcome()
        private let promise: EventLoopPromise<Outcome>
        private let request: String

        init(_ promise: EventLoopPromise<Outcome>, request: String) {
            self.promise = promise
            self.request = request
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent else { return }
            self.outcome.isComplete = true
            self.outcome.negotiated = negotiated
            let tls = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            self.outcome.names =
                tls?.peerCertificate?._subjectAlternativeNames().map { String(decoding: $0.contents, as: UTF8.self) }
                ?? []
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.request)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.outcome.received += String(buffer: self.unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            if self.outcome.error == nil { self.outcome.error = "\(error)" }
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.promise.succeed(self.outcome) }
    }

    /// Connects, asks for `/`, and returns what came until the server closed.
    ///
    /// - Parameter roots: the authorities to trust, as PEM; nil to take any certificate.
    static func connect(
        port: Int, host: String?, protocols: [String] = [], roots: String?, request: String = "GET / HTTP/1.1\r\n\r\n"
    ) async throws -> Outcome {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = protocols
        configuration.certificateVerification = .none
        if let roots {
            configuration.certificateVerification = host == nil ? .noHostnameVerification : .fullVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(roots.utf8)))
        }
        let tls = try NIOSSLContext(configuration: configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let promise = loop.makePromise(of: Outcome.self)
        do {
            _ = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: host)
                        try channel.pipeline.syncOperations.addHandlers([handler, Handler(promise, request: request)])
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            promise.fail(error)
        }
        return try await promise.futureResult.get()
    }
}
