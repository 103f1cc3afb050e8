import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server that says what a test wants, however wrong.
final class ScriptedServer: Sendable {
    struct Request: Sendable {
        var method: String
        var uri: String
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? {
            self.headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    struct Answer: Sendable {
        var status = 200
        var headers: [(String, String)] = []
        var body: [UInt8] = []
        /// The length that the head promises; that of the body by default.
        var promisedBytes: Int?
        /// The connection is closed after the body.
        var closes = false
        /// Nothing is ever said.
        var hangs = false
        /// Nothing is said after the body, which is not all that was promised.
        var stalls = false
    }

    typealias Script = @Sendable (Request) -> Answer

    let port: Int
    private let received: Received

    private final class Received: Sendable {
        let requests = Mutex<[Request]>([])
    }

    private init(port: Int, received: Received) {
        self.port = port
        self.received = received
    }

    var requests: [Request] { self.received.requests.withLock { $0 } }

    static func with<R>(_ script: @escaping Script, _ body: (ScriptedServer) async throws -> R) async throws -> R {
        let received = Received()
        let group = MultiThreadedEventLoopGroup.singleton
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { request in
                            received.requests.withLock { $0.append(request) }
                            return script(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(port: channel.localAddress?.port ?? 0, received: received)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let script: Script
        private var request: Request?

        init(_ script: @escaping Script) { self.script = script }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head):
                self.request = Request(
                    method: head.method.rawValue, uri: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                    body: [])
            case .body(let bytes):
                self.request?.body += bytes.readableBytesView
            case .end:
                guard let request else { return }
                let answer = self.script(request)
                if answer.hangs { return }
                var headers = HTTPHeaders(answer.headers)
                if !headers.contains(name: "Content-Length") {
                    headers.add(name: "Content-Length", value: "\(answer.promisedBytes ?? answer.body.count)")
                }
                let head = HTTPResponseHead(
                    version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
                context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                let sent = context.eventLoop.makePromise(of: Void.self)
                if request.method != "HEAD" {
                    context.write(
                        self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: sent)
                } else {
                    sent.succeed()
                }
                if answer.stalls {
                    context.flush()
                } else if answer.closes {
                    // What the connection has not taken yet would be lost.
                    let channel = context.channel
                    sent.futureResult.whenComplete { _ in channel.close(promise: nil) }
                    context.flush()
                } else {
                    context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
                }
            }
        }
    }
}
