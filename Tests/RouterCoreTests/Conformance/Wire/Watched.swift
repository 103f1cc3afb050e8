import NIOCore
import NIOPosix
import Synchronization

/// A value that tasks change, and whose changes others wait for.
final class Watched<Value: Sendable>: Sendable {
    private struct Waiter {
        var condition: @Sendable (Value) -> Bool
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var value: Value
        var waiters: [Int: Waiter] = [:]
        var nextID = 0
    }

    private let state: Mutex<State>

    init(_ value: Value) { self.state = Mutex(State(value: value)) }

    var value: Value { self.state.withLock { $0.value } }

    func update<R: Sendable>(_ change: (inout Value) -> R) -> R {
        let (result, due) = self.state.withLock { state in
            let result = change(&state.value)
            let due = state.waiters.filter { $0.value.condition(state.value) }
            for id in due.keys { state.waiters[id] = nil }
            return (result, due.values.map(\.continuation))
        }
        for continuation in due { continuation.resume(returning: true) }
        return result
    }

    /// Returns whether the condition came to hold within the limit.
    func wait(atMost limit: TimeAmount?, until condition: @escaping @Sendable (Value) -> Bool) async -> Bool {
        let id = self.state.withLock { state -> Int? in
            if condition(state.value) { return nil }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return true }
        let deadline = limit.map { limit in
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: limit) { self.giveUp(id) }
        }
        defer { deadline?.cancel() }
        return await withCheckedContinuation { continuation in
            let holds = self.state.withLock { state in
                if condition(state.value) { return true }
                state.waiters[id] = Waiter(condition: condition, continuation: continuation)
                return false
            }
            if holds { continuation.resume(returning: true) }
        }
    }

    private func giveUp(_ id: Int) {
        let waiter = self.state.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.continuation.resume(returning: false)
    }
}
