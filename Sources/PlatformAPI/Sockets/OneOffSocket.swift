internal import HTTPTypes
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket
internal import PlatformKit
internal import PlatformWire
internal import ServiceLifecycle
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// One-offs over a WebSocket (`GET /api/v1/apps/NAME/run`), with input and, if wanted, a terminal.
///
/// The client's first message is a text, the request. Then its binary messages are input, and its texts say that the
/// terminal has another size or that there is no more input. The host's binary messages are output, its last text is the
/// result or a problem, as in the other answers that take a while.
///
/// Both sides read no faster than they can pass on, and what waits in between is what the sockets hold: a program that
/// floods is slowed by a client that is slow, and the other way round.
struct OneOffSocket: Sendable {
    typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    let platform: any ControlPlane
    /// How large a message of the client may be, in bytes.
    let messageLimit: Int
    let stream: OperationStream
    let keepAliveInterval: Duration

    private var authenticator: Authenticator { Authenticator(platform: self.platform) }

    /// Whether a request is for this, by somebody who may, for an application that there is.
    func accepts(_ head: HTTPRequestHead) async -> Bool {
        guard head.method == .GET, head.headers["sec-websocket-version"] == ["13"],
            head.headers["sec-websocket-key"].count == 1, head.headers[canonicalForm: "upgrade"] == ["websocket"],
            let name = Self.application(head.uri), self.platform.isReady,
            let principal = try? await self.principal(head), principal.role >= .deploy
        else { return false }
        return (try? await self.platform.application(named: name)) != nil
    }

    private func principal(_ head: HTTPRequestHead) async throws(PlatformError) -> Principal {
        var fields = HTTPFields()
        for (name, value) in head.headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        return try await self.authenticator.principal(for: fields)
    }

    private static func application(_ target: String) -> String? {
        let path = target.prefix { $0 != "?" }.split(separator: "/", omittingEmptySubsequences: false)
        guard path.count == 6, path[0].isEmpty, path[1...3] == ["api", "v1", "apps"], path[5] == "run" else {
            return nil
        }
        return percentDecoded(String(path[4]))
    }

    /// Runs the one-off that the client asks for, and closes the connection.
    func serve(_ channel: Frames, _ head: HTTPRequestHead, logger: Logger) async throws {
        let principal = try await self.principal(head)
        guard let application = Self.application(head.uri) else { return }
        let input = HandoffChannel<[UInt8]>()
        let (windows, windowFeed) = AsyncStream<TerminalWindow>.makeStream(bufferingPolicy: .bufferingNewest(1))
        channel.channel.closeFuture.whenComplete { _ in input.finish(CancellationError()) }
        try await channel.executeThenClose { inbound, outbound in
            await withDiscardingTaskGroup { group in
                let begun = Mutex(false)
                group.addTask {
                    // Who says nothing at first is not waited for, and nobody is for ever when the host stops.
                    try? await self.stream.clock.sleep(for: self.keepAliveInterval)
                    if !Task.isCancelled, !begun.withLock({ $0 }) { channel.channel.close(promise: nil) }
                }
                group.addTask {
                    guard (try? await gracefulShutdown()) != nil else { return }
                    try? await self.stream.clock.sleep(for: self.stream.shutdownGrace + self.keepAliveInterval)
                    channel.channel.close(promise: nil)
                }
                let messages = SocketMessages(inbound: inbound, outbound: outbound)
                await messages.forEach { message in
                    switch message {
                    case .text(let text) where !begun.withLock({ $0 }):
                        begun.withLock { $0 = true }
                        group.addTask {
                            let writer = SocketWriter(outbound: outbound)
                            await self.operate(
                                text, application, principal, writer, input: input, windows: windows, logger: logger)
                            // The client closes when it has the result; one that does not is not waited for.
                            try? await self.stream.clock.sleep(for: self.keepAliveInterval)
                            channel.channel.close(promise: nil)
                        }
                    case .text(let text):
                        guard let message = try? WireJSON.decode(OneOffMessage.self, from: Data(text.utf8)) else {
                            return
                        }
                        if let window = message.window { windowFeed.yield(window) }
                        if message.endOfInput == true { input.finish() }
                    case .bytes(let bytes):
                        // When nobody takes input any more, it goes nowhere, as with any program that does not read.
                        if !bytes.isEmpty { try? await input.send(bytes) }
                    }
                }
                // The end of the input is said; that of the connection means that the client has gone.
                input.finish(CancellationError())
                windowFeed.finish()
                group.cancelAll()
            }
        }
    }

    private func operate(
        _ request: String, _ application: String, _ principal: Principal, _ writer: SocketWriter,
        input: HandoffChannel<[UInt8]>, windows: AsyncStream<TerminalWindow>, logger: Logger
    ) async {
        let event: StreamEvent<OneOffResult>
        do {
            let request = try Self.request(request)
            let result = try await self.keepingAlive(writer) {
                try await self.stream.untilShutdown {
                    try await self.platform.runOneOff(
                        request, of: application, by: principal,
                        session: Self.session(request, writer, input, windows))
                }
            }
            event = .result(result)
        } catch {
            event = .problem(Problem(error, logger: logger))
        }
        try? await writer.end(event)
    }

    private static func request(_ text: String) throws(PlatformError) -> OneOffRequest {
        do {
            return try WireJSON.decode(OneOffRequest.self, from: Data(text.utf8))
        } catch {
            throw PlatformError(.invalid, "The first message is no request for a one-off, as JSON: \(error)")
        }
    }

    private static func session(
        _ request: OneOffRequest, _ writer: SocketWriter, _ input: HandoffChannel<[UInt8]>,
        _ windows: AsyncStream<TerminalWindow>
    ) -> OneOffSession {
        var session = OneOffSession { try await writer.write($0) }
        session.input = { await input.take() }
        session.window = request.terminal
        session.windows = { await windows.first { _ in true } }
        return session
    }

    /// Runs `body`, and lets the client hear now and then that the host is there; one that is not is found out that way.
    private func keepingAlive<R: Sendable>(
        _ writer: SocketWriter, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await self.stream.clock.sleep(for: self.keepAliveInterval)
                    try await writer.ping()
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}

/// What the client says, until it says no more.
private struct SocketMessages {
    enum Message: Sendable { case text(String), bytes([UInt8]) }

    let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    func forEach(_ body: (Message) async -> Void) async {
        do {
            for try await frame in self.inbound {
                let data = frame.unmaskedData
                switch frame.opcode {
                case .text: await body(.text(String(decoding: data.readableBytesView, as: UTF8.self)))
                case .binary: await body(.bytes(Array(data.readableBytesView)))
                case .ping: try await self.outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
                case .connectionClose: return
                default: continue
                }
            }
        } catch {
            // The connection is broken, which is an end as well.
        }
    }
}

/// Writes the host's messages. Each call returns when the connection has room again.
private struct SocketWriter: Sendable {
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    func write(_ bytes: [UInt8]) async throws {
        try await self.outbound.write(WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: bytes)))
    }

    func ping() async throws {
        try await self.outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
    }

    func end(_ event: StreamEvent<OneOffResult>) async throws {
        let text = try WireJSON.encode(event)
        try await self.outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: text)))
        var code = ByteBuffer()
        code.write(webSocketErrorCode: .normalClosure)
        try await self.outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: code))
        self.outbound.finish()
    }
}

extension HandoffChannel where Element == [UInt8] {
    /// The next piece; `nil` at the end, of whatever kind.
    fileprivate func take() async -> [UInt8]? {
        var iterator = self.makeAsyncIterator()
        return (try? await iterator.next()) ?? nil
    }
}
