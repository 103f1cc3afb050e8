import Foundation
import Logging
import MetricsCore

/// A program that measures, logs and reports on itself, without any other part of the platform.
///
/// `MetricsExample` shows the three things that the module keeps; `MetricsExample --measure` prints what they cost.
@main
struct MetricsExample {
    static func main() async throws {
        if CommandLine.arguments.contains("--measure") {
            Measurement.all()
        } else {
            try await self.show()
        }
    }

    private static func show() async throws {
        // A log with a secret in it, and a reader.
        let hub = try LogHub(logger: Logger(label: "example"))
        hub.setSecrets(["correct-horse"], for: "shop")
        hub.append("Listening on port 5000", source: .app, process: "web.1", to: "shop")
        hub.append("connected with password correct-horse", source: .app, process: "web.1", to: "shop")
        let tail = hub.tail("shop", last: 10)
        hub.append("GET /basket 200 in 12 ms", source: .router, to: "shop")
        hub.remove("shop")
        for await line in tail { print(line.formatted) }

        // Signals: two hundred requests, and what this process itself uses.
        let signals = SignalRecorder()
        for index in 1...200 {
            let slow = index % 20 == 0
            signals.recordRequest(
                application: "shop", status: slow ? 503 : 200, nanoseconds: slow ? 900_000_000 : 12_000_000,
                errorCode: slow ? "no-healthy-instance" : nil)
        }
        let pid = ProcessInfo.processInfo.processIdentifier
        signals.recordResources(application: "shop", process: "web.1", usage: try ProcfsSampler().sample(pid))
        signals.recordInstances(application: "shop", ready: 1, wanted: 2, restarts: 1)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let report = signals.report(application: "shop", since: .seconds(60))
        print(String(decoding: try encoder.encode(report), as: UTF8.self))

        // Metrics, as Prometheus scrapes them.
        let registry = MetricsRegistry()
        registry.describe("http.requests", help: "Requests answered.")
        registry.counter("http.requests", dimensions: [("app", "shop")]).increment(by: 200)
        registry.histogram("http.duration", dimensions: [("app", "shop")]).record(.milliseconds(12))
        print(registry.prometheusText())
    }
}
