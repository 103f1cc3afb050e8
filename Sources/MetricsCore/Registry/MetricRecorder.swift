public import CoreMetrics

/// The distribution of values that are not times: body sizes, batch lengths.
///
/// Its quantiles are reported, because nobody knows good bucket bounds for an unknown unit.
/// Values are kept to three decimals; negative ones count as zero.
public final class MetricRecorder: RecorderHandler, Sendable {
    private static let scale = 1_000.0
    private let histogram: Histogram

    init(stripes: Int) {
        self.histogram = Histogram(stripes: stripes)
    }

    /// Counts one value.
    public func record(_ value: Int) {
        self.record(Int64(value))
    }

    /// Counts one value.
    public func record(_ value: Int64) {
        let (scaled, overflow) = value.multipliedReportingOverflow(by: 1_000)
        self.histogram.record(nanoseconds: overflow ? (value < 0 ? 0 : .max) : scaled)
    }

    /// Counts one value; one that is not finite is ignored.
    public func record(_ value: Double) {
        guard value.isFinite else { return }
        self.histogram.record(nanoseconds: Int64(exactly: (value * Self.scale).rounded()) ?? (value < 0 ? 0 : .max))
    }

    /// The values so far: how many, their sum, and the given quantiles (`nil` each when there are none).
    public func summary(quantiles: [Double]) -> (count: Int, sum: Double, quantiles: [Double?]) {
        let snapshot = self.histogram.snapshot()
        let values = quantiles.map { snapshot.quantile($0).map { Double($0) / Self.scale } }
        return (snapshot.count, Double(snapshot.sum) / Self.scale, values)
    }
}
