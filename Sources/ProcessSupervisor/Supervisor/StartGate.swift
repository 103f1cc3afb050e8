import DequeModule
import Synchronization

/// Lets so many instances at a time be started or taken over: a thousand that come together would all be half done at
/// once, with the memory that each takes meanwhile. Who waits has no task.
final class StartGate: Sendable {
    private struct State {
        var free: Int
        var waiting: Deque<@Sendable () -> Void> = []
    }
    private let state: Mutex<State>

    init(limit: Int) { self.state = Mutex(State(free: max(limit, 1))) }

    /// Calls a function, now or when it is its turn. What it begins ends with ``leave()``.
    func enter(_ body: @escaping @Sendable () -> Void) {
        let isFree = self.state.withLock { state in
            if state.free == 0 {
                state.waiting.append(body)
                return false
            }
            state.free -= 1
            return true
        }
        if isFree { body() }
    }

    func leave() {
        let next = self.state.withLock { state -> (@Sendable () -> Void)? in
            if let next = state.waiting.popFirst() { return next }
            state.free += 1
            state.waiting = []
            return nil
        }
        next?()
    }
}
