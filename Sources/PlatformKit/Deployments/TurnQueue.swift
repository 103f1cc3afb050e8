internal import Synchronization

/// Lets one task at a time through, in the order of their arrival; of the deployments that wait, the newest wins.
///
/// A task that is cancelled while it waits leaves the queue and throws `CancellationError`.
///
/// A config change or a scale waits its turn and is never superseded: its wish is not contained in a later push.
final class TurnQueue: Sendable {
    /// Thrown at those that waited when a newer deployment came.
    struct Superseded: Error {
        /// The one that took the place.
        var by: Int
    }

    private struct Waiter {
        var id: Int
        var isSupersedable: Bool
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var isTaken = false
        var nextID = 0
        var waiting: [Waiter] = []
        var cancelledEarly: Set<Int> = []
        /// The highest number of a deployment that came. They are numbered before they come, and may overtake each other.
        var newest = Int.min
    }

    private let state = Mutex(State())

    /// How many wait for their turn.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// Runs `body` when it is this one's turn.
    ///
    /// - Parameter superseding: the number of a deployment that carries a whole source, so that those before it, which
    ///   have not begun, need not run; and which may itself be superseded.
    func withTurn<R>(superseding number: Int? = nil, _ body: () async throws -> R) async throws -> R {
        try await self.enter(superseding: number)
        defer { self.leave() }
        return try await body()
    }

    private func enter(superseding number: Int?) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                enum Outcome { case go, wait, cancelled, superseded(by: Int) }
                let (outcome, losers) = self.state.withLock { state -> (Outcome, [Waiter]) in
                    if state.cancelledEarly.remove(id) != nil { return (.cancelled, []) }
                    if let number {
                        // Numbers are given out before the turns: a slow one must not undo what came after it.
                        if number < state.newest { return (.superseded(by: state.newest), []) }
                        state.newest = number
                    }
                    if !state.isTaken {
                        state.isTaken = true
                        return (.go, [])
                    }
                    var losers: [Waiter] = []
                    if number != nil {
                        losers = state.waiting.filter(\.isSupersedable)
                        state.waiting.removeAll(where: \.isSupersedable)
                    }
                    state.waiting.append(
                        Waiter(id: id, isSupersedable: number != nil, continuation: continuation))
                    return (.wait, losers)
                }
                for loser in losers { loser.continuation.resume(throwing: Superseded(by: number ?? 0)) }
                switch outcome {
                case .go: continuation.resume()
                case .wait: break
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .superseded(let newest): continuation.resume(throwing: Superseded(by: newest))
                }
            }
        } onCancel: {
            let waiter = self.state.withLock { state -> Waiter? in
                if let index = state.waiting.firstIndex(where: { $0.id == id }) {
                    return state.waiting.remove(at: index)
                }
                state.cancelledEarly.insert(id)
                return nil
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
        self.state.withLock { _ = $0.cancelledEarly.remove(id) }
    }

    private func leave() {
        let next = self.state.withLock { state -> Waiter? in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.continuation.resume()
    }
}
