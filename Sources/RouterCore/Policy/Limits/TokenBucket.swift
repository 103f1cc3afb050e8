/// A rate in whole numbers: time is counted in nanoseconds times requests, so that nothing is ever rounded.
struct TokenRate: Sendable, Hashable {
    /// What a request takes: the period in nanoseconds.
    let cost: UInt64
    /// What comes back in a nanosecond: the requests per period.
    let refill: UInt64
    /// What a full bucket has. At most 2^63.
    let capacity: UInt64

    /// - Parameter loops: among how many loops the rate is divided. A loop whose part of the burst would be less than
    ///   one request has one.
    init(_ rate: RequestRate, dividedAmong loops: Int = 1) {
        let period = rate.period.nanosecondsClamped
        let cost = period * UInt64(max(1, loops))
        self.refill = UInt64(rate.requests)
        self.capacity = max(period * UInt64(rate.burst), cost)
        self.cost = cost
    }
}

/// What a client has left, kept as what is missing: nothing is missing from a full bucket, which is like none.
struct TokenBucket: Sendable, Hashable {
    private(set) var missing: UInt64 = 0
    private(set) var since: UInt64 = 0

    /// Lets time pass.
    mutating func settle(_ rate: TokenRate, now: UInt64) {
        guard now > self.since else { return }
        if self.missing > 0 {
            let (gain, overflows) = (now - self.since).multipliedReportingOverflow(by: rate.refill)
            self.missing = overflows || gain >= self.missing ? 0 : self.missing - gain
        }
        self.since = now
    }

    /// Whether a request may pass, after ``settle(_:now:)``.
    func hasRoom(_ rate: TokenRate) -> Bool { rate.capacity - self.missing >= rate.cost }

    /// Counts a request, for which there must be room.
    mutating func take(_ rate: TokenRate) { self.missing += rate.cost }

    /// How many nanoseconds from ``settle(_:now:)`` until a request may pass.
    func wait(_ rate: TokenRate) -> UInt64 {
        let short = rate.cost - min(rate.cost, rate.capacity - self.missing)
        return (short + rate.refill - 1) / rate.refill
    }
}
