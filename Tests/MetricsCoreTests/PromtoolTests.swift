import Foundation
import Testing

@testable import MetricsCore

/// The checker of the Prometheus project itself, where it is installed.
private func promtool() -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").map { "\($0)/promtool" }.first(where: FileManager.default.isExecutableFile)
}

@Test(.enabled(if: promtool() != nil, "promtool is not on PATH"), .timeLimit(.minutes(1)))
func `promtool finds nothing wrong with the exposition`() throws {
    let registry = MetricsRegistry()
    registry.describe("http.requests", help: "Requests with \"quotes\", \\ and\nlines.")
    for app in ["shop", "blog \"quoted\" \\ é\n", ""] {
        registry.counter("http.requests", dimensions: [("app", app), ("status", "200")]).increment()
        registry.histogram("requestDuration", dimensions: [("app", app)]).record(.milliseconds(12))
        registry.gauge("queue:length.total", dimensions: [("__app", app), ("le", "1")]).set(.infinity)
        registry.recorder("body.bytes", dimensions: [("app", app)]).record(512)
    }
    registry.counter("9.fractions").increment(by: 0.1)
    registry.gauge("empty").set(0)
    let signals = SignalRecorder()
    signals.recordRequest(application: "shop", status: 503, nanoseconds: 5_000_000, errorCode: "queue-full")
    signals.recordInstances(application: "shop", ready: 1, wanted: 2, restarts: 3)
    let usage = ResourceUsage(residentBytes: 1 << 20, cpuTime: .seconds(1), processes: 1)
    signals.recordResources(application: "shop", process: "web.1", usage: usage, memoryLimit: 1 << 30)
    registry.expose(signals)

    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(promtool()))
    process.arguments = ["check", "metrics"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    // Less than a pipe holds, so that writing it all before reading anything cannot block.
    try input.fileHandleForWriting.write(contentsOf: Data(registry.prometheusText().utf8))
    try input.fileHandleForWriting.close()
    let complaints = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(String(decoding: complaints, as: UTF8.self) == "")
    #expect(process.terminationStatus == 0)
}
