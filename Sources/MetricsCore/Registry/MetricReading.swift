/// A metric that something else counts, as it stands when metrics are written.
///
/// What counts for itself need not be counted again for Prometheus: ``MetricsRegistry/prometheusText(with:)`` writes it
/// among the registry's own metrics.
public struct MetricReading: Sendable {
    /// The dimensions of a series, as swift-metrics has them.
    public typealias Dimensions = [(String, String)]

    /// How long things took, counted by somebody who has buckets of their own.
    public struct Distribution: Sendable {
        /// How many took at most as long as each bound. Bounds and counts ascend.
        public var buckets: [(upperBound: Duration, count: Int)]
        /// How many there are in all.
        public var count: Int
        /// All of them together.
        public var sum: Duration

        /// Makes one from its parts.
        public init(buckets: [(upperBound: Duration, count: Int)], count: Int, sum: Duration) {
            self.buckets = buckets
            self.count = count
            self.sum = sum
        }
    }

    let kind: MetricFamily.Kind
    let label: String
    let help: String
    let series: [(dimensions: Dimensions, value: MetricFamily.Series)]

    private init(
        _ kind: MetricFamily.Kind, _ label: String, _ help: String,
        _ series: [(dimensions: Dimensions, value: MetricFamily.Series)]
    ) {
        self.kind = kind
        self.label = label
        self.help = help
        self.series = series
    }

    /// A count that only grows.
    public static func counter(_ label: String, help: String, _ series: [(Dimensions, Int)]) -> Self {
        Self(.counter, label, help, series.map { ($0, .value(String($1))) })
    }

    /// A value that comes and goes.
    public static func gauge(_ label: String, help: String, _ series: [(Dimensions, Double)]) -> Self {
        Self(.gauge, label, help, series.map { ($0, .value(PrometheusText.number($1))) })
    }

    /// How long something takes; written in seconds.
    public static func histogram(_ label: String, help: String, _ series: [(Dimensions, Distribution)]) -> Self {
        Self(.histogram, label, help, series.map { ($0, .distribution($1)) })
    }

    /// Of two series with the same dimensions the last one counts.
    func family(labelValueBytes: Int) -> MetricFamily {
        let series = self.series.map { entry in
            (PrometheusText.labels(entry.dimensions, valueBytes: labelValueBytes), entry.value)
        }
        return MetricFamily(
            kind: self.kind, name: MetricFamily.names(self.label, kind: self.kind).exposed, label: self.label,
            ownHelp: self.help, series: Dictionary(series) { $1 })
    }
}
