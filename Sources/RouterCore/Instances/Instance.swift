import NIOCore
import Synchronization

/// One instance as the running router sees it: its address, and what is going on with it on all event loops.
///
/// It lives on across route changes for as long as a route names it, so that nothing in flight is forgotten.
final class Instance: Sendable {
    /// Where each loop's table has what it keeps for this instance.
    let slot: Int
    let id: BackendID
    let address: BackendAddress
    /// The address ready for use; nil when it is a name.
    var socketAddress: SocketAddress? {
        switch self.address {
        case .ip(let host, let port):
            try? SocketAddress(ipAddress: host == "localhost" ? "127.0.0.1" : host, port: port)
        case .unix(let path):
            try? SocketAddress(unixDomainSocketPath: path)
        }
    }
    /// Since when it gets requests, in nanoseconds of uptime.
    var since: UInt64 { self.beginning.load(ordering: .relaxed) }

    private let beginning: Atomic<UInt64>
    private let health: Atomic<Bool>

    private let requests = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)
    private let scarce = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    private let ejectedUntil = Atomic<UInt64>(0)
    private let ejections = Atomic<Int>(0)
    private let retired = Atomic<Bool>(false)
    private let isWatched = Atomic<Bool>(false)
    private let watches = Mutex<[DrainWatch]>([])

    init(_ backend: Backend, slot: Int, since: UInt64 = 0, isHealthy: Bool = true) {
        self.slot = slot
        self.beginning = Atomic(since)
        self.health = Atomic(isHealthy)
        self.id = backend.id
        self.address = backend.address
    }

    // MARK: In flight

    /// Requests it is working on now.
    var load: Int { self.requests.load(ordering: .relaxed) }
    /// The same for who has just said that it waits: either it sees the place that is given back, or whoever gives it
    /// back sees that somebody waits.
    var loadForWaiting: Int { self.requests.load(ordering: .sequentiallyConsistent) }

    /// Requests, upgraded connections and event streams.
    var inFlight: Int {
        self.requests.load(ordering: .sequentiallyConsistent) + self.streams.load(ordering: .sequentiallyConsistent)
    }

    /// Whether so many of its places are taken that are open to everybody: all but those that are counted as scarce.
    func hasTaken(open limit: Int) -> Bool {
        let load = self.load
        return load >= limit && load - self.scarce.load(ordering: .relaxed) >= limit
    }

    /// One of the places that are taken counts as a scarce one from now on.
    func beginScarce() { self.scarce.add(1, ordering: .sequentiallyConsistent) }

    /// A scarce place is about to be given back: before that, so that in between nobody takes it for an open one.
    func endScarce() { self.scarce.subtract(1, ordering: .sequentiallyConsistent) }

    /// Takes one of `limit` places; false when all are taken.
    func tryBegin(limit: Int) -> Bool {
        if self.requests.add(1, ordering: .sequentiallyConsistent).newValue <= limit { return true }
        self.requests.subtract(1, ordering: .sequentiallyConsistent)
        return false
    }

    /// The request has become a stream, which may last for hours and gives its place to another request.
    func becomeStream() {
        // In this order the sum never looks smaller than it is.
        self.streams.add(1, ordering: .sequentiallyConsistent)
        self.requests.subtract(1, ordering: .sequentiallyConsistent)
    }

    /// Gives the place back.
    func end(isStream: Bool) {
        if isStream {
            self.streams.subtract(1, ordering: .sequentiallyConsistent)
        } else {
            self.requests.subtract(1, ordering: .sequentiallyConsistent)
        }
        if self.isWatched.load(ordering: .sequentiallyConsistent) {
            for watch in self.watches.withLock({ $0 }) { watch.check() }
        }
    }

    // MARK: Drain

    /// Whether no route names it any more; its connections are then not kept.
    var isRetired: Bool { self.retired.load(ordering: .relaxed) }
    func retire() { self.retired.store(true, ordering: .relaxed) }

    func watch(_ watch: DrainWatch) {
        self.watches.withLock { watches in
            watches.append(watch)
            self.isWatched.store(true, ordering: .sequentiallyConsistent)
        }
    }

    func unwatch(_ watch: DrainWatch) {
        self.watches.withLock { watches in
            watches.removeAll { $0 === watch }
            if watches.isEmpty { self.isWatched.store(false, ordering: .sequentiallyConsistent) }
        }
    }

    // MARK: Health

    /// Whether it may be given requests, as its probes say. A pool asks when it is made; no request does.
    var isHealthy: Bool { self.health.load(ordering: .relaxed) }
    func leaveOut() { self.health.store(false, ordering: .relaxed) }

    /// It is like new: what it did before it was left out does not count.
    func comeBack(now: UInt64) {
        self.beginning.store(now, ordering: .relaxed)
        self.failures.store(0, ordering: .relaxed)
        self.ejectedUntil.store(0, ordering: .relaxed)
        self.ejections.store(0, ordering: .relaxed)
        self.health.store(true, ordering: .relaxed)
    }

    // MARK: Ejection

    /// Whether it is set aside at `now`.
    func isEjected(now: UInt64) -> Bool { self.ejectedUntil.load(ordering: .relaxed) > now }

    /// A request was answered: failures before it were not in a row with those after it.
    func succeeded() {
        guard self.failures.load(ordering: .relaxed) != 0 else { return }
        self.failures.store(0, ordering: .relaxed)
    }

    /// Counts a failure. Returns for how long the instance is set aside, when it is.
    ///
    /// - Parameter mayEject: asked only when the failures are enough: whether there is room for another one that is set
    ///   aside. If not, the next failure asks again.
    func failed(now: UInt64, policy: EjectionPolicy, mayEject: () -> Bool) -> Duration? {
        // What was under way when it was set aside tells nothing new.
        if self.isEjected(now: now) { return nil }
        let failures = self.failures.add(1, ordering: .relaxed).newValue
        guard failures >= max(1, policy.consecutiveFailures), mayEject() else { return nil }
        // Of several loops that come here at once, one sets it aside.
        let until = self.ejectedUntil.load(ordering: .relaxed)
        if until > now { return nil }
        let isForgotten = now &- until >= policy.forgetAfter.nanosecondsClamped
        let times = isForgotten ? 1 : min(self.ejections.load(ordering: .relaxed) + 1, 1000)
        let duration = min(policy.base * times, policy.maximum)
        let isFirst = self.ejectedUntil.compareExchange(
            expected: until, desired: now &+ duration.nanosecondsClamped, ordering: .relaxed
        ).exchanged
        guard isFirst else { return nil }
        self.ejections.store(times, ordering: .relaxed)
        self.failures.store(0, ordering: .relaxed)
        return duration
    }

    // MARK: Slow start

    /// How much of its share it gets, in thousandths: from a tenth, growing evenly, to the whole after `duration`
    /// nanoseconds.
    func readiness(now: UInt64, duration: UInt64) -> Int {
        let age = now &- min(now, self.since)
        guard age < duration else { return 1000 }
        // Both below a day, so that the product is far from an overflow.
        return 100 + Int(age * 900 / duration)
    }
}

extension Duration {
    /// Whole nanoseconds, at least 0 and at most a few centuries.
    var nanosecondsClamped: UInt64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 9_000_000_000 else { return 9_000_000_000_000_000_000 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
