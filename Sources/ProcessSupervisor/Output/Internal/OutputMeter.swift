/// Measures an instance's output against its policy: a bucket that empties by the clock and fills with what is read.
struct OutputMeter: Sendable {
    private let policy: OutputPolicy
    /// Bytes that may come now; below zero: the debt that time has to pay.
    private var credit: Double
    private var last: Duration?

    init(policy: OutputPolicy) {
        self.policy = policy
        self.credit = Double(policy.burstBytes)
    }

    /// Counts bytes that have been read.
    ///
    /// - Parameter now: The time since any fixed moment.
    /// - Returns: How long to wait until no more was read than may be; nil: not at all.
    mutating func read(_ count: Int, now: Duration) -> Duration? {
        let rate = Double(max(self.policy.bytesPerSecond, 1))
        if let last { self.credit += max(0, (now - last) / .seconds(1)) * rate }
        self.last = now
        self.credit = min(self.credit, Double(self.policy.burstBytes)) - Double(count)
        return self.credit < 0 ? .seconds(1) * (-self.credit / rate) : nil
    }

    /// Takes bytes out of the account that are dropped: they cost nobody anything further on.
    mutating func forgive(_ count: Int) { self.credit += Double(count) }
}
