import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An instance for tests: reads requests as bytes and answers each as its script says.
final class TestOrigin: Sendable {
    /// A request as the origin got it.
    struct Request: Sendable {
        var head: String
        var body: [UInt8]
        /// The number of this request on its connection, from 1.
        var number: Int
        var path: String { String(head.split(separator: " ").dropFirst().first ?? "") }
    }

    enum Answer: Sendable {
        case bytes(String)
        /// Write and close.
        case last(String)
        /// Close without a byte.
        case close
        /// Answer 200 with the request's body.
        case echo
        /// The same, after so many milliseconds.
        case echoLater(Int)
        /// Answer nothing until ``release()``, then 200.
        case hold
        /// Answer 101 and echo everything.
        case tunnel
        /// Answer 200 with so many bytes of body, and count those that the socket took.
        case large(Int)
    }

    let address: BackendAddressText
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let shared: Shared
    private let path: String?

    struct BackendAddressText: Sendable {
        var host: String
        var port: Int
    }

    final class Shared: Sendable {
        struct State {
            var requests: [Request] = []
            var connections = 0
            var closed = 0
            var held: [@Sendable () -> Void] = []
            var isReleased = false
            var watchers: [(condition: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
        }
        let state = Mutex(State())
        let script: @Sendable (Request) -> Answer

        init(script: @escaping @Sendable (Request) -> Answer) { self.script = script }

        func update(_ change: (inout State) -> Void) {
            let due = self.state.withLock { state in
                change(&state)
                let current = state
                state.watchers.removeAll { $0.condition(current) }
                return current.watchers.filter { $0.condition(current) }
            }
            for watcher in due { watcher.continuation.resume() }
        }
    }

    /// - Parameter path: a socket in the file system to listen on, instead of a port.
    init(path: String? = nil, _ script: @escaping @Sendable (Request) -> Answer) async throws {
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let shared = Shared(script: script)
        self.shared = shared
        self.path = path
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    shared.update { $0.connections += 1 }
                    try channel.pipeline.syncOperations.addHandler(OriginHandler(shared))
                }
            }
        if let path {
            self.channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
        } else {
            self.channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        }
        self.address = BackendAddressText(host: "127.0.0.1", port: self.channel.localAddress?.port ?? 0)
    }

    var requests: [Request] { self.shared.state.withLock { $0.requests } }
    var connections: Int { self.shared.state.withLock { $0.connections } }

    /// Returns once so many requests have arrived.
    func requests(atLeast count: Int) async {
        await withCheckedContinuation { continuation in
            self.shared.update { $0.watchers.append(({ $0.requests.count >= count }, continuation)) }
        }
    }

    /// Returns once it has closed so many connections after an answer.
    func closed(atLeast count: Int) async {
        await withCheckedContinuation { continuation in
            self.shared.update { $0.watchers.append(({ $0.closed >= count }, continuation)) }
        }
    }

    /// Answers the requests that are held, now and later.
    func release() {
        let held = self.shared.state.withLock { state in
            state.isReleased = true
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer() }
    }

    func stop() async {
        try? await self.channel.close().get()
        try? await self.group.shutdownGracefully()
        if let path = self.path { unlink(path) }
    }
}

private final class OriginHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let shared: TestOrigin.Shared
    private var input: [UInt8] = []
    private var number = 0
    private var isTunnel = false

    init(_ shared: TestOrigin.Shared) { self.shared = shared }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if self.isTunnel {
            context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
            return
        }
        self.input += Array(bytes.readableBytesView)
        while let request = self.nextRequest() {
            self.number += 1
            let numbered = TestOrigin.Request(head: request.head, body: request.body, number: self.number)
            self.shared.update { $0.requests.append(numbered) }
            self.answer(self.shared.script(numbered), numbered, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func nextRequest() -> (head: String, body: [UInt8])? {
        let end = self.input.indices.first { index in
            index + 3 < self.input.count && self.input[index] == 13 && self.input[index + 1] == 10
                && self.input[index + 2] == 13 && self.input[index + 3] == 10
        }
        guard let end else { return nil }
        let head = String(decoding: self.input[..<end], as: UTF8.self)
        if head.lowercased().contains("\r\ntransfer-encoding: chunked") {
            return self.chunkedRequest(head, from: end + 4)
        }
        let field = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let length = field.flatMap { Int($0.dropFirst(15).filter { $0 != " " }) } ?? 0
        guard self.input.count >= end + 4 + length else { return nil }
        let body = Array(self.input[(end + 4)..<(end + 4 + length)])
        self.input.removeFirst(end + 4 + length)
        return (head, body)
    }

    private func chunkedRequest(_ head: String, from start: Int) -> (head: String, body: [UInt8])? {
        var rest = self.input[start...]
        var body: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: 13),
            let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16),
            rest.endIndex >= lineEnd + 2 + size + 2
        {
            body += rest[(lineEnd + 2)..<(lineEnd + 2 + size)]
            rest = rest[(lineEnd + 2 + size + 2)...]
            guard size == 0 else { continue }
            self.input = Array(rest)
            return (head, body)
        }
        return nil
    }

    private func answer(_ answer: TestOrigin.Answer, _ request: TestOrigin.Request, _ context: ChannelHandlerContext) {
        func write(_ text: String, then close: Bool = false) {
            let promise = context.eventLoop.makePromise(of: Void.self)
            if close {
                promise.futureResult.assumeIsolated().whenComplete { _ in
                    context.close(promise: nil)
                    self.shared.update { $0.closed += 1 }
                }
            }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: promise)
        }
        switch answer {
        case .bytes(let text): write(text)
        case .last(let text): write(text, then: true)
        case .close: context.close(promise: nil)
        case .echo:
            write("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n")
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: request.body)), promise: nil)
        case .echoLater(let milliseconds):
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(milliseconds))) {
                self.answer(.echo, request, context)
            }
        case .hold:
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let loop = context.eventLoop
            let respond: @Sendable () -> Void = {
                loop.execute {
                    let response = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
                    bound.value.writeAndFlush(NIOAny(response), promise: nil)
                }
            }
            let isReleased = self.shared.state.withLock { state in
                if !state.isReleased { state.held.append(respond) }
                return state.isReleased
            }
            if isReleased { respond() }
        case .tunnel:
            self.isTunnel = true
            write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        case .large(let count):
            write("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n")
            self.writeLarge(count, context)
        }
    }

    /// Block by block, each when the socket has taken the one before.
    private func writeLarge(_ remaining: Int, _ context: ChannelHandlerContext) {
        guard remaining > 0 else { return }
        let count = min(remaining, 65536)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { self.writeLarge(remaining - count, context) }
        context.writeAndFlush(
            self.wrapOutboundOut(ByteBuffer(repeating: 0x78, count: count)), promise: promise)
    }
}
