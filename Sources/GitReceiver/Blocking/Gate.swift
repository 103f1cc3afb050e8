import Synchronization

/// A number of places, for which some wait in the order they came and all others are sent away.
final class Gate: Sendable {
    /// A place, which is free again once nobody holds it any more.
    final class Place: Sendable {
        private let gate: Gate
        fileprivate init(_ gate: Gate) { self.gate = gate }
        deinit { self.gate.leave() }
    }

    private enum Outcome { case place, cancelled, full, timeout }

    private struct State {
        var free: Int
        var waiters: [(id: Int, continuation: CheckedContinuation<Outcome, Never>)] = []
        var nextID = 0
    }

    private let state: Mutex<State>
    private let waiting: Int
    private let patience: Duration
    private let clock: any Clock<Duration>
    private let refusal: GitReceiverError

    /// - Parameters:
    ///   - what: What the places are for, as the person who is sent away reads it: `fetches`.
    init(_ places: Int, waiting: Int, patience: Duration, clock: any Clock<Duration>, what: String) {
        self.state = Mutex(State(free: max(1, places)))
        self.waiting = waiting
        self.patience = patience
        self.clock = clock
        self.refusal = GitReceiverError(
            .busy, "503: the git server has too many \(what) at once (\(max(1, places))); try again in a minute.")
    }

    /// Throws if somebody who comes now would be sent away.
    func requireRoom() throws(GitReceiverError) {
        guard self.state.withLock({ $0.free > 0 || $0.waiters.count < self.waiting }) else { throw self.refusal }
    }

    /// Takes a place, waiting for one if need be.
    func enter() async throws(GitReceiverError) -> Place {
        if self.state.withLock({ state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }) {
            return Place(self)
        }
        let (clock, patience) = (self.clock, self.patience)
        let outcome = await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.wait() }
            group.addTask { (try? await clock.sleep(for: patience)) == nil ? .cancelled : .timeout }
            var outcome = await group.next() ?? .cancelled
            group.cancelAll()
            // The place may have come while the time ran out: then it has to be used, or nobody would get it.
            while let other = await group.next() { if other == .place { outcome = .place } }
            return outcome
        }
        switch outcome {
        case .place: return Place(self)
        case .cancelled: throw GitReceiverError(.cancelled, "The request was cancelled while it waited for others.")
        case .full, .timeout: throw self.refusal
        }
    }

    private func wait() async -> Outcome {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let immediate: Outcome? = self.state.withLock { state in
                    // Under the lock: a cancellation that came earlier is seen here, a later one finds the waiter.
                    if Task.isCancelled { return .cancelled }
                    if state.free > 0 {
                        state.free -= 1
                        return .place
                    }
                    guard state.waiters.count < self.waiting else { return .full }
                    state.waiters.append((id, continuation))
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: .cancelled)
        }
    }

    private func leave() {
        let next = self.state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            guard state.waiters.isEmpty else { return state.waiters.removeFirst().continuation }
            state.free += 1
            return nil
        }
        next?.resume(returning: .place)
    }
}
