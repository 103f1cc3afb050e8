/// Holds an application's requests while it has no instance, and says when somebody is to start one.
///
/// ```
///   (no instance) ──hold──▶ holding, wake asked for ──opened──▶ all go on
///                              │        ▲
///                              └─ after the wake interval, a newcomer or the clock asks again
/// ```
///
/// A value without a clock or a callback: it returns what to do.
struct HoldGate<Ticket: Sendable>: Sendable {
    typealias Entry = WaitQueue<Ticket>.Entry

    enum Holding {
        /// The request waits; when `wakes`, the application is to be started. The displaced ones do not wait any more.
        case waits(wakes: Bool, displaced: [Entry])
        /// There is no place for it; when `wakes`, the application is to be started all the same.
        case full(wakes: Bool)
    }

    private var queue = WaitQueue<Ticket>()
    /// When the application was last asked to start.
    private var wokenAt: UInt64?

    init() {}

    /// How many requests wait.
    var count: Int { self.queue.count }

    /// Holds a request until ``opened()`` or until its time is over.
    mutating func hold(
        _ ticket: Ticket, client: ClientAddress, bytes: Int, policy: HoldPolicy, now: UInt64
    ) -> Holding {
        let deadline = now &+ policy.timeout.nanosecondsClamped
        let entry = Entry(ticket: ticket, client: client, deadline: deadline, bytes: bytes)
        let joining = self.queue.join(entry, maxCount: policy.maxRequests, maxBytes: policy.maxBytes)
        let wakes = self.wakes(policy, now)
        switch joining {
        case .waits(let displaced): return .waits(wakes: wakes, displaced: displaced)
        case .full: return .full(wakes: wakes)
        }
    }

    private mutating func wakes(_ policy: HoldPolicy, _ now: UInt64) -> Bool {
        if let last = self.wokenAt, now &- last < policy.wakeInterval.nanosecondsClamped { return false }
        self.wokenAt = now
        return true
    }

    /// There is an instance: these go on, in this order.
    ///
    /// The time of the last wake-up is kept, so that an instance that comes and goes at once does not turn every
    /// request into a start.
    mutating func opened(now: UInt64, expired: (Entry) -> Void) -> [Entry] {
        var entries: [Entry] = []
        while let entry = self.queue.next(now: now, expired: expired) { entries.append(entry) }
        return entries
    }

    /// Whether the application is to be asked again to start, because requests still wait.
    mutating func asksAgain(policy: HoldPolicy, now: UInt64) -> Bool {
        !self.queue.isEmpty && self.wakes(policy, now)
    }

    /// Forgets a request that gave up; false when it does not wait.
    mutating func cancel(_ client: ClientAddress, where isWanted: (Ticket) -> Bool) -> Bool {
        self.queue.remove(client, where: isWanted) != nil
    }
}
