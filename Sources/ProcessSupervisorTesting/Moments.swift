import Synchronization

/// A growing list that tests wait on: for something to be in it, not for time to pass.
final class Moments<Element: Sendable>: Sendable {
    private struct Waiter {
        var isMet: @Sendable ([Element]) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }
    private struct State {
        var elements: [Element] = []
        var next = 0
        var waiters: [Int: Waiter] = [:]
        var cancelled: Set<Int> = []
    }
    private let state = Mutex(State())

    var elements: [Element] { self.state.withLock { $0.elements } }

    func append(_ element: Element) { self.append(contentsOf: [element]) }

    func append(contentsOf elements: [Element]) {
        let due = self.state.withLock { state in
            state.elements += elements
            let due = state.waiters.filter { $0.value.isMet(state.elements) }
            for id in due.keys { state.waiters[id] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Returns when the list meets a condition, or when the calling task is cancelled.
    func wait(until isMet: @escaping @Sendable ([Element]) -> Bool) async {
        let id = self.state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = self.state.withLock { state in
                    if isMet(state.elements) || state.cancelled.remove(id) != nil { return true }
                    state.waiters[id] = Waiter(isMet: isMet, continuation: continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let continuation = self.state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: id)
                if waiter == nil { state.cancelled.insert(id) }
                return waiter?.continuation
            }
            continuation?.resume()
        }
    }
}
