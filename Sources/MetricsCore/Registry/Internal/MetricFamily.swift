/// All series of one metric name.
struct MetricFamily {
    enum Kind: String { case counter, gauge, histogram, summary }

    enum Series {
        case counter(MetricCounter)
        case gauge(MetricGauge)
        case histogram(Histogram)
        case summary(MetricRecorder)
        /// Values that are worked out for one exposition and have no handle.
        case value(String)
        case snapshot(HistogramSnapshot)
        case distribution(MetricReading.Distribution)

        var identity: ObjectIdentifier? {
            switch self {
            case .counter(let handle): ObjectIdentifier(handle)
            case .gauge(let handle): ObjectIdentifier(handle)
            case .histogram(let handle): ObjectIdentifier(handle)
            case .summary(let handle): ObjectIdentifier(handle)
            case .value, .snapshot, .distribution: nil
            }
        }
    }

    let kind: Kind
    /// As exposed, with the suffix of its kind.
    let name: String
    /// What the metric was called by the code that made it; part of the help text when nobody described it.
    let label: String
    /// What the metric says about itself when nobody described it.
    var ownHelp: String?
    /// By rendered labels.
    var series: [String: Series] = [:]

    /// The name by which a metric is described, and the name by which it is exposed.
    static func names(_ label: String, kind: Kind) -> (base: String, exposed: String) {
        let name = PrometheusText.metricName(label)
        let base = name.count > 6 && name.hasSuffix("_total") ? String(name.dropLast(6)) : name
        switch kind {
        case .counter: return (base, base + "_total")
        // Only counters may end in `_total`.
        case .gauge, .summary: return (base, base)
        case .histogram: return (base, base.hasSuffix("_seconds") ? base : base + "_seconds")
        }
    }

    /// The sample names that a metric occupies: no other metric may have one of them.
    static func samples(_ exposed: String, kind: Kind) -> [String] {
        switch kind {
        case .counter, .gauge: [exposed]
        case .summary: [exposed, exposed + "_sum", exposed + "_count"]
        case .histogram: [exposed, exposed + "_bucket", exposed + "_sum", exposed + "_count"]
        }
    }

    func write(to text: inout String, help: String?, bounds: [Int64]) {
        let help = help ?? self.ownHelp ?? "Reported as \(self.label)."
        text += "# HELP \(self.name) \(PrometheusText.escapedHelp(help))\n# TYPE \(self.name) \(self.kind.rawValue)\n"
        for (labels, series) in self.series.sorted(by: { $0.key < $1.key }) {
            switch series {
            case .counter(let counter): self.sample(&text, "", labels, nil, counter.text)
            case .gauge(let gauge): self.sample(&text, "", labels, nil, PrometheusText.number(gauge.value))
            case .histogram(let histogram): self.write(histogram.snapshot(), labels, bounds, to: &text)
            case .summary(let recorder): self.write(recorder, labels, to: &text)
            case .value(let value): self.sample(&text, "", labels, nil, value)
            case .snapshot(let snapshot): self.write(snapshot, labels, bounds, to: &text)
            case .distribution(let distribution): self.write(distribution, labels, to: &text)
            }
        }
    }

    private func write(_ snapshot: HistogramSnapshot, _ labels: String, _ bounds: [Int64], to text: inout String) {
        for bound in bounds { self.bucket(&text, labels, Double(bound) / 1e9, snapshot.count(upTo: bound)) }
        self.end(&text, labels, Double(snapshot.sum) / 1e9, snapshot.count)
    }

    private func write(_ distribution: MetricReading.Distribution, _ labels: String, to text: inout String) {
        for bucket in distribution.buckets {
            self.bucket(&text, labels, bucket.upperBound / .seconds(1), bucket.count)
        }
        self.end(&text, labels, distribution.sum / .seconds(1), distribution.count)
    }

    private func bucket(_ text: inout String, _ labels: String, _ bound: Double, _ count: some BinaryInteger) {
        self.sample(&text, "_bucket", labels, "le=\"\(PrometheusText.number(bound))\"", String(count))
    }

    private func end(_ text: inout String, _ labels: String, _ sum: Double, _ count: some BinaryInteger) {
        self.sample(&text, "_bucket", labels, "le=\"+Inf\"", String(count))
        self.sample(&text, "_sum", labels, nil, PrometheusText.number(sum))
        self.sample(&text, "_count", labels, nil, String(count))
    }

    private func write(_ recorder: MetricRecorder, _ labels: String, to text: inout String) {
        let quantiles = [0.5, 0.95, 0.99]
        let summary = recorder.summary(quantiles: quantiles)
        for (quantile, value) in zip(quantiles, summary.quantiles) {
            let label = "quantile=\"\(PrometheusText.number(quantile))\""
            self.sample(&text, "", labels, label, PrometheusText.number(value ?? .nan))
        }
        self.sample(&text, "_sum", labels, nil, PrometheusText.number(summary.sum))
        self.sample(&text, "_count", labels, nil, String(summary.count))
    }

    private func sample(_ text: inout String, _ suffix: String, _ labels: String, _ extra: String?, _ value: String) {
        text += self.name
        text += suffix
        if !labels.isEmpty || extra != nil {
            text += "{"
            text += labels
            if let extra { text += labels.isEmpty ? extra : "," + extra }
            text += "}"
        }
        text += " "
        text += value
        text += "\n"
    }
}
