import Synchronization

/// Waits until nothing is in flight to a set of instances.
final class DrainWatch: Sendable {
    private enum State {
        case watching(CheckedContinuation<Void, Never>?)
        case done
    }

    private let instances: [Instance]
    private let state = Mutex(State.watching(nil))

    init(_ instances: [Instance]) {
        self.instances = instances
    }

    /// What is still in flight.
    var remaining: Int { self.instances.reduce(0) { $0 + $1.inFlight } }

    /// Returns when nothing is in flight, or when the task is cancelled.
    func wait() async {
        for instance in self.instances { instance.watch(self) }
        defer { for instance in self.instances { instance.unwatch(self) } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = self.state.withLock { state in
                    if case .done = state { return true }
                    state = .watching(continuation)
                    return false
                }
                if isDone { continuation.resume() } else { self.check() }
            }
        } onCancel: {
            self.finish()
        }
    }

    /// Called after something ended.
    func check() {
        if self.remaining == 0 { self.finish() }
    }

    private func finish() {
        let continuation = self.state.withLock { state in
            defer { state = .done }
            if case .watching(let continuation) = state { return continuation }
            return nil as CheckedContinuation<Void, Never>?
        }
        continuation?.resume()
    }
}
