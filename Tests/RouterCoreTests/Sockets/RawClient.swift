import NIOCore
import NIOPosix
import Synchronization

/// A client for tests: writes bytes and waits for bytes.
final class RawClient: Sendable {
    private struct State {
        var received: [UInt8] = []
        var isClosed = false
        var waiters: [(condition: @Sendable ([UInt8], Bool) -> Bool, continuation: CheckedContinuation<Void, Never>)] =
            []
    }

    private final class Inbox: Sendable {
        let state = Mutex(State())

        func update(_ change: (inout State) -> Void) {
            let due = self.state.withLock { state in
                change(&state)
                let (received, isClosed) = (state.received, state.isClosed)
                let due = state.waiters.filter { $0.condition(received, isClosed) }
                state.waiters.removeAll { $0.condition(received, isClosed) }
                return due
            }
            for waiter in due { waiter.continuation.resume() }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let inbox: Inbox

        init(_ inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(self.unwrapInboundIn(data).readableBytesView)
            self.inbox.update { $0.received += bytes }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { self.inbox.update { $0.isClosed = true } }
        }

        func channelInactive(context: ChannelHandlerContext) { self.inbox.update { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let inbox = Inbox()
    private let channel: any Channel

    init(port: Int) async throws {
        let inbox = self.inbox
        self.channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(inbox))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) { self.send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func finishWriting() async { try? await self.channel.close(mode: .output).get() }
    func close() async { try? await self.channel.close().get() }

    /// Stops or resumes taking bytes from the socket.
    func setReading(_ isReading: Bool) async throws {
        try await self.channel.setOption(.autoRead, value: isReading).get()
        if isReading { self.channel.read() }
    }

    var text: String { self.inbox.state.withLock { String(decoding: $0.received, as: UTF8.self) } }
    var count: Int { self.inbox.state.withLock { $0.received.count } }

    private func wait(_ condition: @escaping @Sendable ([UInt8], Bool) -> Bool) async {
        await withCheckedContinuation { continuation in
            self.inbox.update { $0.waiters.append((condition, continuation)) }
        }
    }

    /// Waits until the text ends so, or the connection is closed.
    func receive(endingWith suffix: String) async -> String {
        let suffix = Array(suffix.utf8)
        await self.wait { received, isClosed in isClosed || received.suffix(suffix.count).elementsEqual(suffix) }
        return self.text
    }

    func receive(count: Int) async {
        await self.wait { received, isClosed in isClosed || received.count >= count }
    }

    /// Waits until the connection is closed and returns everything.
    func receiveAll() async -> String {
        await self.wait { _, isClosed in isClosed }
        return self.text
    }

    /// Waits for one response with a length, takes it out and returns its status and body.
    func response() async -> (status: Int, head: String, body: String)? {
        await self.wait { received, isClosed in isClosed || Self.responseLength(received) != nil }
        let text: String? = self.inbox.state.withLock { state in
            guard let length = Self.responseLength(state.received) else { return nil }
            defer { state.received.removeFirst(length) }
            return String(decoding: state.received[..<length], as: UTF8.self)
        }
        guard let text else { return nil }
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        return (Int(text.dropFirst(9).prefix(3)) ?? 0, String(parts[0]), String(parts.last ?? ""))
    }

    private static func responseLength(_ bytes: [UInt8]) -> Int? {
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: [13, 10, 13, 10]) }) else { return nil }
        let head = String(decoding: bytes[..<end], as: UTF8.self).lowercased()
        guard let field = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length: ") }),
            let length = Int(field.dropFirst(16)), bytes.count >= end + 4 + length
        else { return nil }
        return end + 4 + length
    }
}
