import Synchronization

/// One push at a time for each repository, the others in the order they came.
final class PushQueue: Sendable {
    private enum Outcome { case turn, cancelled, full, timeout }

    private struct Waiter {
        var id: Int
        var continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var held: Set<RepositoryName> = []
        var waiters: [RepositoryName: [Waiter]] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    private let patience: Duration
    private let clock: any Clock<Duration>

    init(limit: Int, patience: Duration, clock: any Clock<Duration>) {
        self.limit = limit
        self.patience = patience
        self.clock = clock
    }

    /// The pushes that wait for a repository.
    func waiting(for name: RepositoryName) -> Int { self.state.withLock { $0.waiters[name]?.count ?? 0 } }

    /// Runs `body` when it is this push's turn; `onWait` is called once if another one is before it.
    func withTurn<R>(
        _ name: RepositoryName, onWait: () async throws -> Void = {}, body: () async throws -> R
    ) async throws -> R {
        if !self.state.withLock({ $0.held.insert(name).inserted }) {
            try await onWait()
            try await self.wait(for: name)
        }
        defer { self.release(name) }
        return try await body()
    }

    private func wait(for name: RepositoryName) async throws(GitReceiverError) {
        let (clock, patience) = (self.clock, self.patience)
        let outcome = await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.enqueue(name) }
            group.addTask { (try? await clock.sleep(for: patience)) == nil ? .cancelled : .timeout }
            var outcome = await group.next() ?? .cancelled
            group.cancelAll()
            // The turn may have come while the time ran out: then it has to be used, or nobody would get it.
            while let other = await group.next() { if other == .turn { outcome = .turn } }
            return outcome
        }
        switch outcome {
        case .turn: return
        case .cancelled: throw GitReceiverError(.cancelled, "The push was cancelled while it waited for another.")
        case .timeout: throw GitReceiverError(.busy, "Another push takes too long; try again later.")
        case .full: throw GitReceiverError(.busy, "Too many pushes wait for this repository; try again later.")
        }
    }

    private func enqueue(_ name: RepositoryName) async -> Outcome {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let immediate: Outcome? = self.state.withLock { state in
                    // Under the lock: a cancellation that came earlier is seen here, a later one finds the waiter.
                    if Task.isCancelled { return .cancelled }
                    if state.held.insert(name).inserted { return .turn }
                    guard state.waiters[name, default: []].count < self.limit else { return .full }
                    state.waiters[name, default: []].append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.waiters[name]?.firstIndex { $0.id == id }.flatMap { state.waiters[name]?.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: .cancelled)
        }
    }

    private func release(_ name: RepositoryName) {
        let next = self.state.withLock { state -> Waiter? in
            guard var waiters = state.waiters[name], !waiters.isEmpty else {
                state.waiters[name] = nil
                state.held.remove(name)
                return nil
            }
            let next = waiters.removeFirst()
            state.waiters[name] = waiters
            return next
        }
        next?.continuation.resume(returning: .turn)
    }
}
