/// How long things took, as counts in buckets that grow by a fifth: durations are known to within a tenth, whatever their
/// size, and two histograms can be added.
///
/// It takes as much memory as the range that its values span: latencies of one instance are usually within some powers
/// of two of each other, so that a histogram has a hundred or two hundred bytes.
public struct LatencyHistogram: Sendable, Hashable {
    /// So many buckets for each doubling.
    private static var bucketsPerDoubling: Int { 4 }

    /// The first bucket that is kept.
    private var first = 0
    private var counts: [UInt32] = []
    /// How many values there are.
    public private(set) var count = 0
    private var nanoseconds: UInt64 = 0

    /// Makes an empty one.
    public init() {}

    /// All values together.
    public var sum: Duration { .nanoseconds(Int64(clamping: self.nanoseconds)) }

    // MARK: Recording

    /// Adds a value.
    @inline(__always)
    mutating func record(_ nanoseconds: UInt64) {
        let bucket = Self.bucket(of: nanoseconds)
        let position = bucket &- self.first
        self.count &+= 1
        self.nanoseconds &+= nanoseconds
        if position >= 0, position < self.counts.count {
            self.counts[position] &+= 1
        } else {
            self.extend(to: bucket)
        }
    }

    @inline(never)
    private mutating func extend(to bucket: Int) {
        if self.counts.isEmpty {
            self.first = bucket
            self.counts = [1]
        } else if bucket < self.first {
            self.counts.insert(contentsOf: repeatElement(0, count: self.first - bucket), at: 0)
            self.first = bucket
            self.counts[0] = 1
        } else {
            self.counts.append(contentsOf: repeatElement(0, count: bucket - self.first - self.counts.count + 1))
            self.counts[bucket - self.first] = 1
        }
    }

    /// Adds what another one has counted.
    public mutating func add(_ other: LatencyHistogram) {
        guard !other.counts.isEmpty else { return }
        let lower = self.counts.isEmpty ? other.first : min(self.first, other.first)
        let upper = max(self.first + self.counts.count, other.first + other.counts.count)
        var sums = [UInt32](repeating: 0, count: upper - lower)
        for (index, count) in self.counts.enumerated() { sums[self.first - lower + index] = count }
        for (index, count) in other.counts.enumerated() { sums[other.first - lower + index] &+= count }
        self.first = lower
        self.counts = sums
        self.count += other.count
        self.nanoseconds &+= other.nanoseconds
    }

    // MARK: Reading

    /// The duration below which this share of the values lies, from 0 to 1; zero when there are none.
    public func quantile(_ share: Double) -> Duration {
        let rank = (Double(self.count) * min(max(share, 0), 1)).rounded(.up)
        var seen = 0.0
        for (index, count) in self.counts.enumerated() where count > 0 {
            seen += Double(count)
            if seen >= rank { return .nanoseconds(Int64(clamping: Self.upperBound(of: self.first + index))) }
        }
        return .zero
    }

    /// How many values lie below each bound and above the one before; ascending, without empty buckets.
    public var buckets: [(upperBound: Duration, count: Int)] {
        self.counts.enumerated().filter { $0.element > 0 }.map { index, count in
            (.nanoseconds(Int64(clamping: Self.upperBound(of: self.first + index))), Int(count))
        }
    }

    /// Below four microseconds there is a bucket for each; above, the two bits behind the highest one choose.
    @inline(__always)
    private static func bucket(of nanoseconds: UInt64) -> Int {
        let microseconds = nanoseconds / 1000
        if microseconds < 4 { return Int(microseconds) }
        let exponent = 63 &- microseconds.leadingZeroBitCount
        let fraction = Int(truncatingIfNeeded: microseconds >> UInt64(exponent &- 2)) & 3
        return (exponent &- 1) &* self.bucketsPerDoubling &+ fraction
    }

    /// In nanoseconds.
    private static func upperBound(of bucket: Int) -> UInt64 {
        if bucket < 4 { return UInt64(bucket + 1) * 1000 }
        let exponent = bucket / self.bucketsPerDoubling + 1
        let fraction = UInt64(bucket % self.bucketsPerDoubling)
        return (1 << UInt64(exponent) + (fraction + 1) << UInt64(exponent - 2)) * 1000
    }
}
