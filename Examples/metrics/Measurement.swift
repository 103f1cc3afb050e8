import CoreMetrics
import Foundation
import Logging
import MetricsCore

/// What one operation costs, in nanoseconds of the thread's time: the median of seven rounds.
enum Measurement {
    static func all() {
        let registry = MetricsRegistry()
        let counter = registry.counter("c", dimensions: [("app", "shop")])
        let generic = CoreMetrics.Counter(label: "c", dimensions: [("app", "shop")], factory: registry)
        let histogram = Histogram()
        let signals = SignalRecorder()
        self.print("counter, handle kept", 2_000_000) { _ in counter.increment() }
        self.print("swift-metrics counter, handle kept", 2_000_000) { _ in generic.increment() }
        self.print("swift-metrics counter made for each event", 100_000) { _ in
            CoreMetrics.Counter(label: "c", dimensions: [("app", "shop")], factory: registry).increment()
        }
        self.print("histogram", 2_000_000) { histogram.record(nanoseconds: Int64($0 & 0xFFFFF)) }
        self.print("recordRequest", 1_000_000) {
            signals.recordRequest(application: "shop", status: 200, nanoseconds: Int64($0 & 0xFFFFF))
        }
        self.print("recordRequest with an error code", 1_000_000) {
            signals.recordRequest(
                application: "shop", status: 503, nanoseconds: Int64($0 & 0xFFFFF), errorCode: "queue-timeout")
        }
        for name in 0..<1_000 { signals.recordRequest(application: "app-\(name)", status: 200, nanoseconds: 1) }
        let names = (0..<1_000).map { "app-\($0)" }
        self.print("recordRequest, 1,000 applications in turn", 1_000_000) {
            signals.recordRequest(application: names[$0 % 1_000], status: 200, nanoseconds: Int64($0 & 0xFFFFF))
        }
        self.print("snapshot and p99 of a histogram", 2_000) { _ in _ = histogram.snapshot().quantile(0.99) }
        self.logs()
        self.twoThreads(histogram, signals)
    }

    private static func logs() {
        guard let hub = try? LogHub(logger: Logger(label: "example")) else { return }
        let text = "at=info method=GET path=\"/basket\" host=shop.example.com connect=1ms service=12ms status=200"
        let entry = LogEntry(timestamp: Date(), source: .app, process: "web.1", text: text)
        self.print("log line of 95 bytes", 100_000) { _ in hub.append(entry, to: "shop") }
        let batch = [LogEntry](repeating: entry, count: 100)
        self.print("100 log lines at once", 2_000) { _ in hub.append(batch, to: "shop") }
        hub.setSecrets(Set((0..<50).map { "secret-value-\($0)" }), for: "shop")
        self.print("log line with 50 secrets to look for", 100_000) { _ in hub.append(entry, to: "shop") }
    }

    private static func twoThreads(_ histogram: Histogram, _ signals: SignalRecorder) {
        let other = Thread {
            var index: Int64 = 0
            while !Thread.current.isCancelled {
                for _ in 0..<1_000 {
                    index &+= 1
                    histogram.record(nanoseconds: index & 0xFFFFF)
                    signals.recordRequest(application: "shop", status: 200, nanoseconds: index & 0xFFFFF)
                }
            }
        }
        other.start()
        self.print("histogram, another thread recording too", 2_000_000) {
            histogram.record(nanoseconds: Int64($0 & 0xFFFFF))
        }
        self.print("recordRequest, another thread recording too", 1_000_000) {
            signals.recordRequest(application: "shop", status: 200, nanoseconds: Int64($0 & 0xFFFFF))
        }
        other.cancel()
    }

    private static func print(_ name: String, _ count: Int, _ body: (Int) -> Void) {
        var rounds: [Double] = []
        for _ in 0..<7 {
            let start = clock()
            for index in 0..<count { body(index) }
            rounds.append(Double(clock() - start) * 1_000 / Double(count))
        }
        rounds.sort()
        let padded = name.padding(toLength: 46, withPad: " ", startingAt: 0)
        Swift.print(padded, String(format: "%8.1f ns  (%.1f – %.1f)", rounds[3], rounds[0], rounds[6]))
    }

    /// Microseconds of CPU time of this thread: other processes on the machine do not count.
    private static func clock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
