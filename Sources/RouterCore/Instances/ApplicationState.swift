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
    /// What an application needs only while it has more requests than places, or no instance: few of many thousands do.
    private let crowd = AtomicLazyReference<Crowd>()

    init(name: String) {
        self.name = name
    }

    private final class Crowd: Sendable {
        let queue = Mutex(WaitQueue<Ticket>())
        let gate = Mutex(HoldGate<Ticket>())
        let shares = Mutex(PlaceShares())
    }

    private var crowded: Crowd { self.crowd.load() ?? self.crowd.storeIfNil(Crowd()) }

    /// Requests and upgraded connections, waiting or being worked on.
    var inFlight: Int { self.requests.load(ordering: .relaxed) }
    func begin() { self.requests.add(1, ordering: .relaxed) }
    func end() { self.requests.subtract(1, ordering: .relaxed) }

    // MARK: Waiting for a place

    /// Whether requests wait. Newcomers then wait behind them, even if a place is free at the moment.
    var hasWaiting: Bool { self.waiting.load(ordering: .sequentiallyConsistent) > 0 }

    /// Queues a request. The caller tells those that it displaced, by their tickets' loops, that the queue is full.
    func join(
        _ entry: WaitQueue<Ticket>.Entry, maxCount: Int, maxBytes: Int
    ) -> WaitQueue<Ticket>.Joining {
        self.crowded.queue.withLock { queue in
            defer { self.waiting.store(queue.count, ordering: .sequentiallyConsistent) }
            return queue.join(entry, maxCount: maxCount, maxBytes: maxBytes)
        }
    }

    /// Gives a request that was called up in vain its old place back, over the limit or not.
    func putBack(_ entry: WaitQueue<Ticket>.Entry) {
        self.crowded.queue.withLock { queue in
            queue.putBack(entry)
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
        }
    }

    /// Takes a request out of the queue, because it gave up.
    func cancel(id: UInt64, worker: WorkerHandle, client: ClientAddress) {
        self.crowded.queue.withLock { queue in
            _ = queue.remove(client) { $0.id == id && $0.worker === worker }
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
        }
    }

    /// Calls up the request whose turn it is. One whose time is over is taken out by its own loop.
    ///
    /// - Parameter share: how many scarce places a client may hold; whoever holds so many is passed over.
    func wakeNext(share: Int = .max) {
        guard self.hasWaiting else { return }
        let entry = self.crowded.queue.withLock { queue in
            let entry = queue.next(now: 0, mayGo: { share == .max || self.hasShare($0, limit: share) }) { _ in }
            self.waiting.store(queue.count, ordering: .sequentiallyConsistent)
            return entry
        }
        if let ticket = entry?.ticket { ticket.worker.wake(ticket: ticket.id) }
    }

    // MARK: Shares of the places

    private func hasShare(_ client: ClientAddress, limit: Int) -> Bool {
        self.crowded.shares.withLock { $0.hasRoom(client, limit: limit) }
    }

    /// Counts a scarce place for a client; false when it holds so many already.
    func takeShare(_ client: ClientAddress, limit: Int) -> Bool {
        self.crowded.shares.withLock { $0.take(client, limit: limit) }
    }

    /// A client has given back a scarce place.
    func giveShare(_ client: ClientAddress) { self.crowded.shares.withLock { $0.give(client) } }

    /// How many scarce places are held.
    var sharesHeld: Int { self.crowd.load()?.shares.withLock { $0.total } ?? 0 }

    // MARK: Waiting for an instance

    /// There is an instance: takes those that wait for it out, in the order in which they go on.
    func open() -> [WaitQueue<Ticket>.Entry] {
        self.crowd.load()?.gate.withLock { $0.opened(now: 0) { _ in } } ?? []
    }

    /// Decides about requests that wait for the application to start.
    func withGate<R: Sendable>(_ body: (inout HoldGate<Ticket>) -> sending R) -> R {
        self.crowded.gate.withLock { gate in body(&gate) }
    }
}
