public import CoreMetrics
internal import Synchronization

/// Keeps every metric of one host and writes them out for Prometheus.
///
/// It is a swift-metrics backend: pass it wherever a `MetricsFactory` is taken. Code that wants the cheapest path asks for
/// a handle once (``counter(_:dimensions:)``) and keeps it. Two registries in one process know nothing of each other.
///
/// Labels become snake case, counters end in `_total`, timers in `_seconds`. Series are bounded in number, so that a
/// label that takes its value from outside cannot exhaust memory: what comes beyond is counted as refused, not kept.
public final class MetricsRegistry: MetricsFactory, Sendable {
    /// What the registry allows and how it writes.
    public struct Configuration: Sendable {
        /// The most series (a metric name with one set of label values) at a time. 10,000.
        public var maxSeries = 10_000
        /// The longest label value in bytes; longer ones are cut. 256.
        public var labelValueBytes = 256
        /// The upper bounds of the buckets in which timers are written. 5 ms … 60 s.
        public var histogramBounds: [Duration] = [
            .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50), .milliseconds(100),
            .milliseconds(250), .milliseconds(500), .seconds(1), .milliseconds(2500), .seconds(5), .seconds(10),
            .seconds(30), .seconds(60),
        ]
        /// How many threads record into one histogram without slowing each other. 8.
        public var histogramStripes = 8

        /// The defaults.
        public init() {}
    }

    /// A metric as its maker names it. Looked up first, so that making a metric for each event costs one hash.
    private struct Request: Hashable {
        var kind: MetricFamily.Kind
        var label: String
        var dimensions: [String]
    }

    private struct State {
        var families: [String: MetricFamily] = [:]
        /// Sample name -> the family that owns it.
        var claims: [String: String] = [:]
        var requests: [Request: MetricFamily.Series] = [:]
        var places: [ObjectIdentifier: (family: String, labels: String)] = [:]
        var help: [String: String] = [:]
        var signals: SignalRecorder?
    }

    private static let refusedName = "metrics_refused_series_total"
    private let configuration: Configuration
    private let bounds: [Int64]
    private let state: Mutex<State>
    private let refused = MetricCounter()
    // What callers get whose series was refused: it works, and nobody sees it.
    private let spareCounter = MetricCounter()
    private let spareGauge = MetricGauge()
    private let spareHistogram = Histogram(stripes: 1)
    private let spareRecorder = MetricRecorder(stripes: 1)

    /// Makes an empty registry.
    public init(configuration: Configuration = .init()) {
        self.configuration = configuration
        self.bounds = Set(configuration.histogramBounds.map { Int64(($0 / .nanoseconds(1)).rounded()) }).sorted()
        var state = State()
        state.claims[Self.refusedName] = Self.refusedName
        self.state = Mutex(state)
    }

    /// Says what a metric counts, for the `HELP` line. `label` is the one that the metric is made with.
    public func describe(_ label: String, help: String) {
        let base = MetricFamily.names(label, kind: .counter).base
        self.state.withLock { state in
            guard state.help.count < self.configuration.maxSeries || state.help[base] != nil else { return }
            state.help[base] = help
        }
    }

    /// The counter with this label and these dimensions, made at the first call.
    public func counter(_ label: String, dimensions: [(String, String)] = []) -> MetricCounter {
        let series = self.series(.counter, label, dimensions) { .counter(MetricCounter()) }
        guard case .counter(let counter) = series else { return self.spareCounter }
        return counter
    }

    /// The gauge with this label and these dimensions, made at the first call.
    public func gauge(_ label: String, dimensions: [(String, String)] = []) -> MetricGauge {
        let series = self.series(.gauge, label, dimensions) { .gauge(MetricGauge()) }
        guard case .gauge(let gauge) = series else { return self.spareGauge }
        return gauge
    }

    /// The histogram of times with this label and these dimensions, made at the first call.
    public func histogram(_ label: String, dimensions: [(String, String)] = []) -> Histogram {
        let stripes = self.configuration.histogramStripes
        let series = self.series(.histogram, label, dimensions) { .histogram(Histogram(stripes: stripes)) }
        guard case .histogram(let histogram) = series else { return self.spareHistogram }
        return histogram
    }

    /// The distribution of values other than times with this label and these dimensions, made at the first call.
    public func recorder(_ label: String, dimensions: [(String, String)] = []) -> MetricRecorder {
        let stripes = self.configuration.histogramStripes
        let series = self.series(.summary, label, dimensions) { .summary(MetricRecorder(stripes: stripes)) }
        guard case .summary(let recorder) = series else { return self.spareRecorder }
        return recorder
    }

    /// How many series were refused because there were too many, or because another metric has the name.
    public var refusedSeries: Int { Int(self.refused.value) }

    /// Writes the totals of `signals` too, as metrics `application_…` with the label `app`.
    ///
    /// They are read when they are written: what is recorded once, for the signals, need not be counted a second time.
    /// One recorder at a time; the last one counts.
    public func expose(_ signals: SignalRecorder) {
        self.state.withLock { state in
            state.signals = signals
            for sample in SignalRecorder.samples where state.claims[sample] == nil { state.claims[sample] = "" }
        }
    }

    /// Forgets every series that has `value` for the dimension `name`, such as those of a removed application.
    ///
    /// Handles that are still held go on counting, unseen.
    public func removeSeries(where name: String, equals value: String) {
        let wanted = PrometheusText.labels([(name, value)], valueBytes: self.configuration.labelValueBytes)
        self.state.withLock { state in
            let gone = state.places.filter { $0.value.labels.containsLabel(wanted) }
            for (identity, place) in gone { Self.remove(identity, place, from: &state) }
            let identities = Set(gone.keys)
            state.requests = state.requests.filter { request in
                request.value.identity.map { !identities.contains($0) } ?? true
            }
        }
    }

    /// Forgets one series; what the `destroy` of a swift-metrics metric does.
    func remove(_ identity: ObjectIdentifier) {
        self.state.withLock { state in
            guard let place = state.places[identity] else { return }
            Self.remove(identity, place, from: &state)
            state.requests = state.requests.filter { $0.value.identity != identity }
        }
    }

    /// Every metric in the text exposition format 0.0.4 (`Content-Type: text/plain; version=0.0.4`), sorted by name.
    ///
    /// - Parameter readings: what others have counted, written among the rest. Of two that have a name in common, the
    ///   first one is written; what is in the registry comes before them. How many series they have is the caller's to limit.
    public func prometheusText(with readings: [MetricReading] = []) -> String {
        // Copying the index is cheap; the numbers are read and written outside the lock.
        var (families, help, signals, claims) = self.state.withLock { ($0.families, $0.help, $0.signals, $0.claims) }
        families[Self.refusedName] = MetricFamily(
            kind: .counter, name: Self.refusedName, label: Self.refusedName,
            ownHelp: "Series not kept: too many, or the name was taken.", series: ["": .counter(self.refused)])
        let limit = self.configuration.labelValueBytes
        for family in signals?.families(labelValueBytes: limit) ?? [] where families[family.name] == nil {
            families[family.name] = family
        }
        for family in readings.lazy.map({ $0.family(labelValueBytes: limit) }) where !family.series.isEmpty {
            let samples = MetricFamily.samples(family.name, kind: family.kind)
            guard samples.allSatisfy({ claims[$0] == nil }) else { continue }
            for sample in samples { claims[sample] = family.name }
            families[family.name] = family
        }
        var text = ""
        for (_, family) in families.sorted(by: { $0.key < $1.key }) {
            let base = MetricFamily.names(family.label, kind: family.kind).base
            family.write(to: &text, help: help[base], bounds: self.bounds)
        }
        return text
    }

    private func series(
        _ kind: MetricFamily.Kind, _ label: String, _ dimensions: [(String, String)],
        make: () -> MetricFamily.Series
    ) -> MetricFamily.Series? {
        let request = Request(kind: kind, label: label, dimensions: dimensions.flatMap { [$0.0, $0.1] })
        return self.state.withLock { state in
            if let known = state.requests[request] { return known }
            let exposed = MetricFamily.names(label, kind: kind).exposed
            let labels = PrometheusText.labels(dimensions, valueBytes: self.configuration.labelValueBytes)
            if let family = state.families[exposed], family.kind == kind, let known = family.series[labels] {
                // Another spelling of a known series. The index of spellings is bounded like the series are.
                if state.requests.count < self.configuration.maxSeries * 2 { state.requests[request] = known }
                return known
            }
            let samples = MetricFamily.samples(exposed, kind: kind)
            guard state.places.count < self.configuration.maxSeries,
                samples.allSatisfy({ state.claims[$0] == nil || state.claims[$0] == exposed }),
                state.families[exposed].map({ $0.kind == kind }) ?? true
            else {
                self.refused.increment()
                return nil
            }
            let series = make()
            for sample in samples { state.claims[sample] = exposed }
            state.families[exposed, default: MetricFamily(kind: kind, name: exposed, label: label)].series[labels] =
                series
            state.requests[request] = series
            if let identity = series.identity { state.places[identity] = (exposed, labels) }
            return series
        }
    }

    private static func remove(
        _ identity: ObjectIdentifier, _ place: (family: String, labels: String), from state: inout State
    ) {
        state.places[identity] = nil
        state.families[place.family]?.series[place.labels] = nil
        guard let family = state.families[place.family], family.series.isEmpty else { return }
        state.families[place.family] = nil
        for sample in MetricFamily.samples(family.name, kind: family.kind) { state.claims[sample] = nil }
    }
}

extension String {
    /// Whether these rendered labels have the rendered label `wanted` among them. Quotes within values are escaped, so
    /// that no value can look like a label.
    fileprivate func containsLabel(_ wanted: String) -> Bool {
        ",\(self),".utf8.firstRange(of: ",\(wanted),".utf8) != nil
    }
}
