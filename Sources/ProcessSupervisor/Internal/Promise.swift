import Synchronization

/// A value that comes once, and that any number of tasks may wait for.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, SupervisorError>?
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Result<Value, SupervisorError>, Never>] = [:]
        var cancelled: Set<Int> = []
    }
    private let state = Mutex(State())

    init() {}

    var isFulfilled: Bool { self.state.withLock { $0.result != nil } }

    /// The first call counts.
    func fulfil(_ result: Result<Value, SupervisorError>) {
        let waiters = self.state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Result<Value, SupervisorError>, Never>]() }
            state.result = result
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// The value, when it is there, even for a task that is cancelled. For values that come soon.
    func valueInAnyCase() async throws(SupervisorError) -> Value {
        let result = await withCheckedContinuation { continuation in
            let now = self.state.withLock { state -> Result<Value, SupervisorError>? in
                if let result = state.result { return result }
                state.nextID += 1
                state.waiters[state.nextID] = continuation
                return nil
            }
            if let now { continuation.resume(returning: now) }
        }
        return try result.get()
    }

    /// The value, when it is there. Throws `cancelled` when the calling task is cancelled before.
    func value() async throws(SupervisorError) -> Value {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = self.state.withLock { state -> Result<Value, SupervisorError>? in
                    if let result = state.result { return result }
                    if state.cancelled.remove(id) != nil { return .failure(.cancelledWhileWaiting) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: id)
                if waiter == nil, state.result == nil { state.cancelled.insert(id) }
                return waiter
            }
            waiter?.resume(returning: .failure(.cancelledWhileWaiting))
        }
        return try result.get()
    }
}

extension SupervisorError {
    static var cancelledWhileWaiting: SupervisorError {
        SupervisorError(code: .cancelled, message: "the waiting task was cancelled")
    }
}
