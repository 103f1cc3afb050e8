import DequeModule
import Synchronization

/// What an application has going on, whatever version of its route: a count, and the requests that wait for a place.
final class ApplicationState: Sendable {
    /// A request that waits, on its own loop.
    struct Ticket: Sendable {
        var worker: WorkerHandle
        var id: UInt64
    }

    let name: String
    private let requests = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let queue = Mutex(Deque<Ticket>())

    init(name: String) {
        self.name = name
    }

    /// Requests and upgraded connections, waiting or being worked on.
    var inFlight: Int { self.requests.load(ordering: .relaxed) }
    func begin() { self.requests.add(1, ordering: .relaxed) }
    func end() { self.requests.subtract(1, ordering: .relaxed) }

    /// Whether requests wait. Newcomers then wait behind them, even if a place is free at the moment.
    var hasWaiting: Bool { self.waiting.load(ordering: .sequentiallyConsistent) > 0 }

    /// Queues a request; false when the queue is full.
    func enqueue(_ ticket: Ticket, limit: Int, atFront: Bool) -> Bool {
        self.queue.withLock { queue in
            // One that was called up in vain gets its old place back, over the limit or not.
            guard atFront || queue.count < limit else { return false }
            if atFront { queue.prepend(ticket) } else { queue.append(ticket) }
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
            return true
        }
    }

    /// Takes a request out of the queue, because it gave up.
    func cancel(id: UInt64, worker: WorkerHandle) {
        self.queue.withLock { queue in
            queue.removeAll { $0.id == id && $0.worker === worker }
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
        }
    }

    /// Calls up the request that has waited longest.
    func wakeNext() {
        guard self.hasWaiting else { return }
        let ticket = self.queue.withLock { queue in
            let ticket = queue.popFirst()
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
            return ticket
        }
        if let ticket { ticket.worker.wake(ticket: ticket.id) }
    }
}
