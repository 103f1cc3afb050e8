import NIOCore

/// What other threads hold of an event loop's context: they can only send it work.
final class LoopHandle: Sendable {
    let eventLoop: any EventLoop
    private let bound: NIOLoopBound<LoopContext>

    /// Must be called on the event loop.
    init(_ context: LoopContext) {
        self.eventLoop = context.eventLoop
        self.bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    }

    /// The context; only on the event loop.
    var context: LoopContext { self.bound.value }

    /// Has the context do something, in the order of the calls.
    func execute(_ work: @escaping @Sendable (LoopContext) -> Void) {
        self.eventLoop.execute { work(self.bound.value) }
    }

    /// Has the context do something and waits until it is done.
    func run<R: Sendable>(_ work: @escaping @Sendable (LoopContext) -> R) async throws -> R {
        try await self.eventLoop.submit { work(self.bound.value) }.get()
    }

    /// Calls up a queued request.
    func wake(ticket: UInt64) {
        self.execute { $0.wake(ticket) }
    }
}
