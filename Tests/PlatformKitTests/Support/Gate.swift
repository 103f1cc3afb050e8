import Synchronization

/// Holds one task up until a test lets it through, and tells the test that it has arrived.
final class Gate: Sendable {
    private let arrivals = AsyncStream<Void>.makeStream()
    private let openings = AsyncStream<Void>.makeStream()

    /// Waits for ``open()``; throws when the task is cancelled.
    func pass() async throws {
        self.arrivals.continuation.yield()
        for await _ in self.openings.stream { return }
        throw CancellationError()
    }

    /// Returns when somebody waits at the gate.
    func arrived() async {
        for await _ in self.arrivals.stream { return }
    }

    /// Lets one through.
    func open() { self.openings.continuation.yield() }
}
