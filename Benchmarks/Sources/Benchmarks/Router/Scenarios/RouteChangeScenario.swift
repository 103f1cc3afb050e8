import Foundation

/// Routes that change under full load: how long a change takes to be in effect, and whether a request is lost by it.
struct RouteChangeScenario {
    let stand: RouterStand

    /// What the program says; Benchmarks/Programs/route-changes has the other side.
    private struct Summary: Codable {
        var changes: Int
        var stale: Int
        var p50: Double
        var p99: Double
    }

    func run() throws -> [Row] {
        try [1, 10_000].flatMap { hosts in
            let rounds = try (0..<(self.stand.options.rounds ?? 5)).map { _ in try self.round(hosts: hosts) }
            let failed = rounds.map(\.failed).reduce(0, +)
            let stale = rounds.map(\.summary.stale).reduce(0, +)
            let changes = rounds.map(\.summary.changes).reduce(0, +)
            let requests = rounds.map(\.requests).reduce(0, +)
            let notes =
                "\(changes * 2) changes beside \(Int(requests)) requests; errors: \(failed); "
                + "next requests that saw the old route: \(stale)"
            return [
                Row(
                    what: "a route change beside \(hosts) others, p50", unit: "µs",
                    slipway: rounds.map(\.summary.p50), note: notes),
                Row(
                    what: "a route change beside \(hosts) others, p99", unit: "µs",
                    slipway: rounds.map(\.summary.p99)),
            ]
        }
    }

    private func round(hosts: Int) throws -> (summary: Summary, requests: Double, failed: Int) {
        guard let program = self.stand.options.program("route-changes") else {
            throw Failure("route-changes is not built")
        }
        let port = try Loopback.freePort()
        let seconds = self.stand.options.seconds
        // It changes routes for as long as the load lasts, and some time before and after.
        let child = try self.stand.processes.start(
            [program, "\(port)", "\(self.stand.origin)", "\(hosts)", "\(seconds + 2)"],
            output: self.stand.scratch.file("route-changes-\(port).log"))
        try Loopback.waitForAnswer("/13B", host: RouterStand.host, port: port, by: child, self.stand.processes)
        let proxy = Proxy(
            name: "Slipway", ports: .init(clear: port, http2: port, tls: port), main: child, worker: child)
        let cost = try self.stand.cost(of: proxy, .keepAlive("/13B"), seconds: seconds)
        let exit = try self.stand.processes.wait(child, seconds: 30)
        guard exit.status == 0 else { throw Failure("route-changes ended with \(exit.status):\n\(child.output)") }
        let line = child.output.split(separator: "\n").last { $0.hasPrefix("{") } ?? ""
        return (try JSONDecoder().decode(Summary.self, from: Data(line.utf8)), cost.requests, cost.failed)
    }
}
