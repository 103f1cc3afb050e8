import CoreMetrics
import Testing

@testable import MetricsCore

@Suite struct MetricsRegistryTests {
    private static let refused = """
        # HELP metrics_refused_series_total Series not kept: too many, or the name was taken.
        # TYPE metrics_refused_series_total counter
        metrics_refused_series_total 0

        """

    @Test func `counters and gauges are written sorted, with help, type and escaped labels`() {
        let registry = MetricsRegistry()
        registry.describe("http.requests", help: "Requests\nanswered \\ with \"quotes\".")
        registry.counter("http.requests", dimensions: [("path", "a\"b\\c\nd"), ("app", "shop")]).increment(by: 3)
        registry.counter("http.requests", dimensions: [("app", "blog"), ("le", "x"), ("1st", "y")]).increment(by: 0.5)
        registry.counter("http.requests").increment()
        registry.gauge("openConnections").set(-2.25)
        registry.gauge("build:queue.total").set(7)
        #expect(
            registry.prometheusText() == #"""
                # HELP build_queue Reported as build:queue.total.
                # TYPE build_queue gauge
                build_queue 7
                # HELP http_requests_total Requests\nanswered \\ with "quotes".
                # TYPE http_requests_total counter
                http_requests_total 1
                http_requests_total{_1st="y",app="blog",label_le="x"} 0.5
                http_requests_total{app="shop",path="a\"b\\c\nd"} 3

                """# + Self.refused + """
                    # HELP open_connections Reported as openConnections.
                    # TYPE open_connections gauge
                    open_connections -2.25

                    """)
    }

    @Test func `a timer is a histogram in seconds`() {
        var configuration = MetricsRegistry.Configuration()
        configuration.histogramBounds = [.milliseconds(100), .milliseconds(5), .milliseconds(2500)]
        let registry = MetricsRegistry(configuration: configuration)
        let histogram = registry.histogram("request.duration", dimensions: [("app", "shop")])
        for milliseconds in [1, 4, 50, 90, 200, 9_000] { histogram.record(.milliseconds(milliseconds)) }
        #expect(
            registry.prometheusText() == Self.refused + """
                # HELP request_duration_seconds Reported as request.duration.
                # TYPE request_duration_seconds histogram
                request_duration_seconds_bucket{app="shop",le="0.005"} 2
                request_duration_seconds_bucket{app="shop",le="0.1"} 4
                request_duration_seconds_bucket{app="shop",le="2.5"} 5
                request_duration_seconds_bucket{app="shop",le="+Inf"} 6
                request_duration_seconds_sum{app="shop"} 9.345
                request_duration_seconds_count{app="shop"} 6

                """)
    }

    @Test func `other distributions are a summary`() {
        let registry = MetricsRegistry()
        let recorder = registry.makeRecorder(label: "body.bytes", dimensions: [], aggregate: true)
        #expect(registry.prometheusText().contains("body_bytes{quantile=\"0.5\"} NaN\n"))
        for value in 1...50 { recorder.record(Int64(value)) }
        recorder.record(0.5)
        recorder.record(Double.nan)
        recorder.record(Int64.min)
        let text = registry.prometheusText()
        #expect(text.contains("# TYPE body_bytes summary\n"))
        #expect(text.contains("body_bytes_sum 1275.5\nbody_bytes_count 52\n"))
    }

    @Test(arguments: [
        ("http.requests", "http_requests"), ("HTTPRequests", "httprequests"), ("queueLength", "queue_length"),
        ("a--b::c", "a_b_c"), ("9lives", "_9lives"), ("", "_"), ("größe", "gr_e"), ("x.", "x"), ("...", "_"),
    ])
    func `a label becomes a metric name`(label: String, expected: String) {
        #expect(PrometheusText.metricName(label) == expected)
    }

    @Test(arguments: [
        (1.0, "1"), (-0.5, "-0.5"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (1e300, "1e+300"),
        (0.005, "0.005"),
    ])
    func `a number is written as Prometheus reads it`(value: Double, expected: String) {
        #expect(PrometheusText.number(value) == expected)
    }

    @Test func `the same metric is one series, however it is spelled`() {
        let registry = MetricsRegistry()
        let first = registry.counter("a.b", dimensions: [("x", "1"), ("y", "2")])
        #expect(first === registry.counter("a.b", dimensions: [("y", "2"), ("x", "1")]))
        #expect(first === registry.counter("a_b_total", dimensions: [("y", "2"), ("x", "1"), ("x", "3")]))
        #expect(first !== registry.counter("a.b", dimensions: [("x", "1")]))
        #expect(registry.refusedSeries == 0)
    }

    @Test func `series beyond the limit are refused and counted`() {
        var configuration = MetricsRegistry.Configuration()
        configuration.maxSeries = 2
        let registry = MetricsRegistry(configuration: configuration)
        for path in ["a", "b", "c", "d"] { registry.counter("hits", dimensions: [("path", path)]).increment() }
        registry.counter("hits", dimensions: [("path", "a")]).increment()
        let text = registry.prometheusText()
        #expect(text.contains("hits_total{path=\"a\"} 2\nhits_total{path=\"b\"} 1\n#"))
        #expect(text.contains("metrics_refused_series_total 2\n"))
    }

    @Test func `a name that another kind of metric has is refused`() {
        let registry = MetricsRegistry()
        registry.histogram("wait").record(nanoseconds: 1)
        registry.gauge("wait_seconds").set(1)
        registry.gauge("wait.seconds.count").set(1)
        registry.gauge("wait").set(5)
        #expect(registry.refusedSeries == 2)
        #expect(registry.prometheusText().contains("\nwait 5\n"))
    }

    @Test func `long label values are cut between characters`() {
        var configuration = MetricsRegistry.Configuration()
        configuration.labelValueBytes = 4
        let registry = MetricsRegistry(configuration: configuration)
        registry.gauge("g", dimensions: [("v", "abcédef")]).set(1)
        #expect(registry.prometheusText().contains("g{v=\"abc\"} 1\n"))
    }

    @Test func `series of a removed application go, others stay`() {
        let registry = MetricsRegistry()
        for app in ["shop", "shopping"] {
            registry.counter("hits", dimensions: [("app", app), ("zone", "a")]).increment()
            registry.gauge("open", dimensions: [("app", app)]).set(1)
            registry.histogram("wait", dimensions: [("a", "1"), ("app", app), ("b", "2")]).record(nanoseconds: 5)
        }
        registry.counter("hits", dimensions: [("zone", ",app=\"shop\",")]).increment()
        registry.removeSeries(where: "app", equals: "shop")
        let text = registry.prometheusText()
        #expect(!text.contains("app=\"shop\""))
        #expect(text.contains("hits_total{app=\"shopping\",zone=\"a\"} 1\n"))
        #expect(text.contains("zone=\",app=\\\"shop\\\",\""))
        #expect(registry.counter("hits", dimensions: [("app", "shop"), ("zone", "a")]).value == 0)
    }

    @Test func `it is a backend of swift-metrics`() {
        let registry = MetricsRegistry()
        let counter = Counter(label: "c", dimensions: [("k", "v")], factory: registry)
        counter.increment(by: 5)
        Counter(label: "c", dimensions: [("k", "v")], factory: registry).increment()
        FloatingPointCounter(label: "f", factory: registry).increment(by: 1.5)
        Gauge(label: "g", factory: registry).record(3)
        let meter = Meter(label: "m", factory: registry)
        meter.set(10)
        meter.decrement()
        Recorder(label: "r", factory: registry).record(2)
        CoreMetrics.Timer(label: "t", factory: registry).recordMilliseconds(1_500)
        var text = registry.prometheusText()
        for sample in [
            "c_total{k=\"v\"} 6\n", "f_total 1.5\n", "\ng 3\n", "\nm 9\n", "r_count 1\n", "t_seconds_sum 1.5\n",
        ] { #expect(text.contains(sample), "\(sample)") }
        counter.destroy()
        text = registry.prometheusText()
        #expect(!text.contains("c_total"))
        counter.increment()
        #expect(registry.counter("c", dimensions: [("k", "v")]).value == 0)
    }

    @Test func `counters ignore what would make them fall`() {
        let counter = MetricsRegistry().counter("c")
        counter.increment(by: -1)
        counter.increment(by: -0.5)
        counter.increment(by: Double.infinity)
        counter.increment(by: 0.25)
        counter.increment(by: Int64(2))
        #expect(counter.value == 2.25)
        counter.reset()
        #expect(counter.value == 0)
    }

    @Test func `two registries do not know of each other`() {
        let (one, two) = (MetricsRegistry(), MetricsRegistry())
        one.counter("c").increment()
        #expect(two.prometheusText() == Self.refused)
    }

    @Test func `what others have counted is written among the rest`() {
        let registry = MetricsRegistry()
        registry.counter("b").increment()
        let took = MetricReading.Distribution(
            buckets: [(.milliseconds(1), 2), (.seconds(2), 3)], count: 4, sum: .milliseconds(12_500))
        let text = registry.prometheusText(with: [
            .histogram("c.time", help: "How\nlong.", [([("app", "\"x\"")], took)]),
            .counter("a", help: "All.", [([], 7), ([("app", "y"), ("Z", "1")], 8)]),
            .gauge("empty", help: "Without a series.", []),
        ])
        #expect(
            text == #"""
                # HELP a_total All.
                # TYPE a_total counter
                a_total 7
                a_total{Z="1",app="y"} 8
                # HELP b_total Reported as b.
                # TYPE b_total counter
                b_total 1
                # HELP c_time_seconds How\nlong.
                # TYPE c_time_seconds histogram
                c_time_seconds_bucket{app="\"x\"",le="0.001"} 2
                c_time_seconds_bucket{app="\"x\"",le="2"} 3
                c_time_seconds_bucket{app="\"x\"",le="+Inf"} 4
                c_time_seconds_sum{app="\"x\""} 12.5
                c_time_seconds_count{app="\"x\""} 4

                """# + Self.refused)
    }

    @Test func `what others have counted takes no name from what is there`() {
        let registry = MetricsRegistry()
        registry.histogram("time").record(.seconds(1))
        registry.expose(SignalRecorder())
        let text = registry.prometheusText(with: [
            .gauge("time_seconds_count", help: "Taken.", [([], 99)]),
            .counter("application.requests", help: "Taken, too.", [([], 99)]),
            .gauge("once", help: "First.", [([], 1)]), .gauge("once", help: "Second.", [([], 99)]),
        ])
        #expect(!text.contains(" 99\n"))
        #expect(text.contains("# HELP once First.\n"))
    }

    @Test func `making the same series from many tasks makes one`() async {
        let registry = MetricsRegistry()
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for index in 0..<500 {
                        registry.counter("c", dimensions: [("i", String(index % 10))]).increment()
                        registry.gauge("g").increment(by: task % 2 == 0 ? 1 : -1)
                        if index % 100 == 0 { _ = registry.prometheusText() }
                    }
                }
            }
        }
        for index in 0..<10 {
            #expect(registry.counter("c", dimensions: [("i", String(index))]).value == 400)
        }
        #expect(registry.gauge("g").value == 0)
    }
}
