import Synchronization

/// Hands every event to every subscriber.
final class EventHub: Sendable {
    private struct State {
        var subscribers: [Int: AsyncStream<SupervisorEvent>.Continuation] = [:]
        var next = 0
        var isFinished = false
    }
    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = max(limit, 1) }

    func subscribe() -> AsyncStream<SupervisorEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SupervisorEvent.self, bufferingPolicy: .bufferingNewest(self.limit))
        let id = self.state.withLock { state -> Int? in
            if state.isFinished { return nil }
            state.next += 1
            state.subscribers[state.next] = continuation
            return state.next
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.subscribers[id] = nil }
        }
        return stream
    }

    func publish(_ event: SupervisorEvent) {
        let subscribers = self.state.withLock { Array($0.subscribers.values) }
        for subscriber in subscribers { subscriber.yield(event) }
    }

    func finish() {
        let subscribers = self.state.withLock { state in
            state.isFinished = true
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.finish() }
    }
}
