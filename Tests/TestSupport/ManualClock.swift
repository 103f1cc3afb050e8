import Synchronization

/// A clock that stands still until a test moves it.
///
/// Code under test takes `any Clock<Duration>` and sleeps on it; the test waits until the sleep has begun
/// (``sleepers(atLeast:)``) and then calls ``advance(by:)``. No real time passes, so a test of an hour of backoff takes
/// microseconds and never fails on a slow machine.
public final class ManualClock: Clock, Sendable {
    /// A point on the manual clock: the time since its creation.
    public struct Instant: InstantProtocol {
        /// The time since the clock was made.
        public var offset: Duration

        /// The instant that much later.
        public func advanced(by duration: Duration) -> Instant { Instant(offset: self.offset + duration) }
        /// The time until the other instant.
        public func duration(to other: Instant) -> Duration { other.offset - self.offset }
        /// Whether the left instant is the earlier.
        public static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.offset < rhs.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var nextID = 0
        var sleepers: [Int: (deadline: Instant, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var cancelledEarly: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Makes a clock that stands at zero.
    public init() {}

    /// Where the clock stands.
    public var now: Instant { self.state.withLock { $0.now } }
    /// Any.
    public var minimumResolution: Duration { .zero }

    /// The number of tasks that sleep on this clock now.
    public var sleeperCount: Int { self.state.withLock { $0.sleepers.count } }

    /// Waits until a test has moved the clock there.
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Outcome { case sleep, wake, cancel }
                typealias Watchers = [CheckedContinuation<Void, Never>]
                let (outcome, watchers) = self.state.withLock { state -> (Outcome, Watchers) in
                    if state.cancelledEarly.remove(id) != nil { return (.cancel, []) }
                    if deadline <= state.now { return (.wake, []) }
                    state.sleepers[id] = (deadline, continuation)
                    let count = state.sleepers.count
                    let due = state.watchers.filter { $0.count <= count }.map(\.continuation)
                    state.watchers.removeAll { $0.count <= count }
                    return (.sleep, due)
                }
                for watcher in watchers { watcher.resume() }
                switch outcome {
                case .sleep: break
                case .wake: continuation.resume()
                case .cancel: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            let continuation = self.state.withLock { state in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelledEarly.insert(id)
                    return nil as CheckedContinuation<Void, any Error>?
                }
                return sleeper.continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// Returns once at least `count` tasks sleep on this clock.
    public func sleepers(atLeast count: Int) async {
        await withCheckedContinuation { continuation in
            let ready = self.state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    /// Moves the clock and wakes every sleeper whose deadline has come, earliest first.
    public func advance(by duration: Duration) {
        let due = self.state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.value.deadline <= state.now }
                .sorted { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
            for (id, _) in due { state.sleepers[id] = nil }
            return due.map(\.value.continuation)
        }
        for continuation in due { continuation.resume() }
    }
}
