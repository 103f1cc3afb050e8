import Synchronization

/// Shared and exclusive locks by key, that tasks wait for by suspending. A cancelled task stops waiting.
final class LockTable<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var queues: [Key: LockQueue] = [:]
        var waiting: [LockQueue.Ticket: CheckedContinuation<Bool, Never>] = [:]
        var cancelledEarly: Set<LockQueue.Ticket> = []
        var nextTicket: LockQueue.Ticket = 0

        mutating func take(_ tickets: [LockQueue.Ticket]) -> [CheckedContinuation<Bool, Never>] {
            tickets.compactMap { self.waiting.removeValue(forKey: $0) }
        }
    }

    private let state = Mutex(State())

    func withLock<R>(
        _ key: Key, _ mode: LockQueue.Mode, _ body: () async throws(SlugStoreError) -> R
    ) async throws(SlugStoreError) -> R {
        guard await self.acquire(key, mode) else { throw .cancelled }
        defer { self.release(key, mode) }
        return try await body()
    }

    /// Whether the lock was obtained; it is not if the task was cancelled while it waited.
    private func acquire(_ key: Key, _ mode: LockQueue.Mode) async -> Bool {
        let ticket = self.state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let acquired = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = self.state.withLock { state in
                    if state.cancelledEarly.remove(ticket) != nil { return false }
                    if state.queues[key, default: LockQueue()].request(ticket, mode) { return true }
                    state.waiting[ticket] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            self.abandon(key, ticket)
        }
        // A cancellation that came after the lock was granted has left a note that nobody else takes away.
        self.state.withLock { _ = $0.cancelledEarly.remove(ticket) }
        return acquired
    }

    private func abandon(_ key: Key, _ ticket: LockQueue.Ticket) {
        let (own, granted) = self.state.withLock { state in
            guard let own = state.waiting[ticket], let result = state.queues[key]?.abandon(ticket), result.waited else {
                // Cancelled before the request was made, which will find this note, or after the lock was granted; then the
                // holder notices its cancellation itself.
                state.cancelledEarly.insert(ticket)
                return (nil as CheckedContinuation<Bool, Never>?, [CheckedContinuation<Bool, Never>]())
            }
            state.waiting[ticket] = nil
            return (own, state.take(result.granted))
        }
        own?.resume(returning: false)
        for continuation in granted { continuation.resume(returning: true) }
    }

    private func release(_ key: Key, _ mode: LockQueue.Mode) {
        let granted = self.state.withLock { state in
            guard var queue = state.queues[key] else { return [CheckedContinuation<Bool, Never>]() }
            let tickets = queue.release(mode)
            state.queues[key] = queue.isIdle ? nil : queue
            return state.take(tickets)
        }
        for continuation in granted { continuation.resume(returning: true) }
    }
}
