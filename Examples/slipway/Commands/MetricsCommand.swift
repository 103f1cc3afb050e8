import ArgumentParser
import PlatformClient
import PlatformWire

/// `15m`, `1h`, `2d` on the command line.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration
    let text: String

    init?(argument: String) {
        guard let duration = Quantities.duration(argument) else { return nil }
        self.duration = duration
        self.text = argument
    }

    var defaultValueDescription: String { self.text }
}

struct MetricsCommand: ApplicationCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Show the five signals of an application.",
        discussion: "Latency, errors, throughput, utilisation and the health of its instances, over the time up to now."
    )
    @Option(help: ArgumentHelp("How far back: 90s, 15m, 1h, 2d.", valueName: "time"))
    var since = DurationArgument(argument: "1h")!
    @OptionGroup var app: ApplicationOption
    @OptionGroup var listing: ListingOptions
    @OptionGroup var host: HostOptions

    func run(_ session: ClientSession, application: String) async throws {
        let metrics = try await session.api.metrics(of: application, since: self.since.duration)
        try session.show(metrics, self.listing) {
            let latency = [
                ("p50", metrics.p50Milliseconds), ("p95", metrics.p95Milliseconds), ("p99", metrics.p99Milliseconds),
            ].compactMap { name, value in value.map { "\(name) \(Quantities.short($0)) ms" } }
            var fields = [
                ("Latency", latency.isEmpty ? "no requests" : latency.joined(separator: ", ")),
                (
                    "Errors",
                    "\(Quantities.short(metrics.errorRate * 100)) % (\(metrics.serverErrors) of 500 and above, "
                        + "\(metrics.clientErrors) from 400 to 499)"
                ),
                ("Throughput", "\(Quantities.short(metrics.throughput)) requests/s (\(metrics.requests) in all)"),
                (
                    "Utilisation",
                    "\(Quantities.short(metrics.cpuCores)) cores, \(Quantities.bytes(metrics.memoryBytes))"
                ),
                (
                    "Instances",
                    "\(metrics.instancesReady) of \(metrics.instancesWanted) ready, \(Quantities.count(metrics.restarts, "restart"))"
                ),
            ]
            for (code, count) in metrics.errorsByCode.sorted(by: { $0.key < $1.key }) {
                fields.append(("Router \(code)", String(count)))
            }
            return session.terminal.fields(fields)
        }
    }
}
