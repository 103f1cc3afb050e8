public import CoreMetrics

/// Counts how long things took, cheaply enough for every request, precisely enough for a p99.
///
/// Recording takes no lock and, after the first few values, allocates nothing. Values are kept in log-linear cells:
/// a quantile is within 1/64 of the exact one. Histograms of different instances or times merge without further loss.
///
/// It is a swift-metrics timer handler too, which is how ``MetricsRegistry`` hands it out.
public final class Histogram: TimerHandler, Sendable {
    private let stripes: Stripes<HistogramStripe>

    /// Makes an empty histogram.
    ///
    /// - Parameter stripes: How many threads can record without sharing a cache line, rounded up to a power of two within
    ///   1...64. Each costs memory (about 3 KiB) only once it is used.
    public init(stripes: Int = 8) {
        self.stripes = Stripes(count: stripes) { HistogramStripe() }
    }

    /// Counts one value in nanoseconds. Negative values count as zero, values over 104 days as 104 days.
    public func record(nanoseconds: Int64) {
        self.stripes.withCurrent { $0.record(HistogramLayout.clamped(nanoseconds)) }
    }

    /// Counts one duration.
    public func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.record(nanoseconds: overflow ? (seconds < 0 ? 0 : .max) : whole &+ attoseconds / 1_000_000_000)
    }

    /// Counts one value in nanoseconds; what swift-metrics calls.
    public func recordNanoseconds(_ duration: Int64) {
        self.record(nanoseconds: duration)
    }

    /// What has been recorded so far.
    ///
    /// Values that are recorded while the snapshot is taken are in it or not; the count always agrees with the cells, the
    /// sum may lead or lag by the values in flight.
    public func snapshot() -> HistogramSnapshot {
        var dense = [UInt64](repeating: 0, count: HistogramLayout.cellCount)
        var sum: UInt64 = 0
        var smallest = Int64.max
        var largest: Int64 = -1
        self.stripes.forEach { $0.add(to: &dense, sum: &sum, smallest: &smallest, largest: &largest) }
        return HistogramSnapshot(dense: dense, sum: sum, smallest: smallest, largest: largest)
    }
}
