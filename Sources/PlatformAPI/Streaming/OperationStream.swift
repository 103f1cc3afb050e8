internal import HTTPTypes
internal import Hummingbird
internal import Logging
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
        to request: Request, logger: Logger,
        _ operation: @escaping @Sendable (EventOutput<Result>) async throws -> Result
    ) -> Response {
        self.lines(to: request) { channel in
            let output = EventOutput<Result>(channel: channel)
            let event: StreamEvent<Result>
            do {
                event = .result(try await self.untilShutdown { try await operation(output) })
            } catch {
                event = .problem(Problem(error, logger: logger))
            }
            try await output.send(event)
        } keepAlive: {
            try EventOutput<Result>.encode(.line(""))
        }
    }

    /// An answer of lines that `produce` sends into a channel, with `keepAlive` in between when nothing else is said.
    ///
    /// The connection is closed afterwards: watching it for the client's going away uses up what else could come from it.
    func lines(
        to request: Request, produce: @escaping @Sendable (HandoffChannel<ByteBuffer>) async throws -> Void,
        keepAlive: @escaping @Sendable () throws -> ByteBuffer
    ) -> Response {
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                let channel = HandoffChannel<ByteBuffer>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do {
                            try await produce(channel)
                            channel.finish()
                        } catch {
                            channel.finish(error)
                        }
                    }
                    group.addTask {
                        while !Task.isCancelled {
                            try await self.clock.sleep(for: self.keepAliveInterval)
                            try await channel.send(try keepAlive())
                        }
                    }
                    defer { group.cancelAll() }
                    for try await bytes in channel { try await writer.write(bytes) }
                }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .connection: "close"], body: body)
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
