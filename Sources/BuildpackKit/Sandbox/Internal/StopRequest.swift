import Synchronization

/// The wish that a running command ends early: made once, by whoever comes first.
final class StopRequest: Sendable {
    enum Reason { case cancelled, timedOut }

    private struct State {
        var reason: Reason?
        var finished = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Why the command is to end; nil while it may go on.
    var reason: Reason? { self.state.withLock { $0.reason } }

    func ask(_ reason: Reason) {
        let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.reason == nil, !state.finished else { return nil }
            state.reason = reason
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// The command has ended by itself; later wishes come too late.
    func finish() {
        let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.finished = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Returns when a wish is made or the command has ended. One task may wait.
    func wait() async {
        await withCheckedContinuation { continuation in
            let over = self.state.withLock { state in
                if state.reason != nil || state.finished { return true }
                state.waiter = continuation
                return false
            }
            if over { continuation.resume() }
        }
    }
}

/// The process tree of a command, from the moment that it exists.
final class Started: Sendable {
    private struct State {
        var tree: ProcessTree?
        var finished = false
        var waiter: CheckedContinuation<ProcessTree?, Never>?
    }

    private let state = Mutex(State())

    var current: ProcessTree? { self.state.withLock { $0.tree } }

    func set(_ tree: ProcessTree) {
        let waiter = self.state.withLock { state in
            state.tree = tree
            return state.waiter.take()
        }
        waiter?.resume(returning: tree)
    }

    /// There will be no tree any more, if there was none.
    func finish() {
        let (waiter, tree) = self.state.withLock { state in
            state.finished = true
            return (state.waiter.take(), state.tree)
        }
        waiter?.resume(returning: tree)
    }

    /// The tree, waited for; nil when the command could not be started. One task may wait.
    func tree() async -> ProcessTree? {
        await withCheckedContinuation { continuation in
            let known: ProcessTree?? = self.state.withLock { state in
                if state.tree != nil || state.finished { return .some(state.tree) }
                state.waiter = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
