internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PlatformKit
internal import PlatformWire
internal import ServiceLifecycle

/// Answers a request with what a long operation says while it goes on: events as lines of JSON, the result last.
///
/// The operation is cancelled when the client goes away, and some time after the host was told to stop.
struct OperationStream {
    let keepAliveInterval: Duration
    let shutdownGrace: Duration
    let clock: any Clock<Duration>

    /// The answer of one operation. `operation` runs while the answer is sent.
    func response<Result: Codable & Sendable>(
        context: APIContext, _ operation: @escaping @Sendable (EventOutput<Result>) async throws -> Result
    ) -> Response {
        self.lines(context: context, keepAlive: { try ByteBuffer(line: StreamEvent<Result>.line("")) }) { channel in
            do {
                let output = EventOutput<Result>(channel: channel)
                let result = try await self.untilShutdown { try await operation(output) }
                return try ByteBuffer(line: StreamEvent.result(result))
            } catch {
                return try ByteBuffer(line: StreamEvent<Result>.problem(Problem(error, logger: context.logger)))
            }
        }
    }

    /// An answer of lines that `produce` sends into a channel or returns as the last one, with `keepAlive` in between when
    /// nothing else is said.
    func lines(
        context: APIContext, keepAlive: @escaping @Sendable () throws -> ByteBuffer,
        produce: @escaping @Sendable (HandoffChannel<ByteBuffer>) async throws -> ByteBuffer?
    ) -> Response {
        let body = ResponseBody { writer in
            let lines = HandoffChannel<ByteBuffer>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        let last = try await self.keepingAlive(lines, keepAlive) { try await produce(lines) }
                        if let last { try await lines.send(last) }
                        lines.finish()
                    } catch {
                        lines.finish(error)
                    }
                }
                group.addTask {
                    await DisconnectHandler.waitForDisconnect(of: context.channel)
                    lines.finish(CancellationError())
                }
                defer { group.cancelAll() }
                for try await line in lines { try await writer.write(line) }
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    /// Runs `body`, and sends signs of life until it has returned: none may follow the last line.
    private func keepingAlive<Value: Sendable>(
        _ lines: HandoffChannel<ByteBuffer>, _ sign: @escaping @Sendable () throws -> ByteBuffer,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try await self.clock.sleep(for: self.keepAliveInterval)
                    try await lines.send(try sign())
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// Runs `body`, and cancels it when the host has been stopping for the time of grace.
    func untilShutdown<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await gracefulShutdown()
                try await self.clock.sleep(for: self.shutdownGrace)
                return nil
            }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
                group.cancelAll()
            }
            throw CancellationError()
        }
    }
}
