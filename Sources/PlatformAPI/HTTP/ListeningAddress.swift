internal import Synchronization

/// The address that a server got, for those who wait for it.
final class ListeningAddress: Sendable {
    private enum State {
        case unknown([Int: CheckedContinuation<String, any Error>])
        case known(Result<String, any Error>)
    }

    private let state = Mutex((state: State.unknown([:]), nextID: 0))

    /// Waits until the address is known. Throws why it never will be, and when the task is cancelled.
    func value() async throws -> String {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = self.state.withLock { state -> Result<String, any Error>? in
                    switch state.state {
                    case .known(let result):
                        return result
                    case .unknown(var waiting):
                        if Task.isCancelled { return .failure(CancellationError()) }
                        waiting[id] = continuation
                        state.state = .unknown(waiting)
                        return nil
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation = self.state.withLock { state -> CheckedContinuation<String, any Error>? in
                guard case .unknown(var waiting) = state.state else { return nil }
                let continuation = waiting.removeValue(forKey: id)
                state.state = .unknown(waiting)
                return continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// Says what became of it. The first time counts.
    func resolve(_ result: Result<String, any Error>) {
        let waiting = self.state.withLock { state -> [CheckedContinuation<String, any Error>] in
            guard case .unknown(let waiting) = state.state else { return [] }
            state.state = .known(result)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
