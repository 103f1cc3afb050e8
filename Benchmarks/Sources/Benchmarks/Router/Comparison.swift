import Foundation

/// The same load on Slipway and on its peers.
struct Comparison {
    var what: String
    var load: Load
    var own: Proxy
    var peers: [Proxy]
    var notes: [String] = []
}

/// What one load of a proxy cost.
struct Cost {
    var requests: Double
    var failed: Int
    /// CPU time of the proxy and time on the clock, in seconds.
    var cpu: Double
    var wall: Double

    var microsecondsPerRequest: Double { self.cpu / self.requests * 1e6 }
}

extension RouterStand {
    /// CPU time per request. All are measured in turn within a round, so that what disturbs the machine disturbs each.
    func rows(_ comparisons: [Comparison]) throws -> [Row] {
        try self.costs(comparisons).flatMap { comparison, costs in
            self.rows(comparison, costs) { $0.microsecondsPerRequest }
        }
    }

    /// The costs of each proxy in each round; Slipway's come first.
    func costs(_ comparisons: [Comparison]) throws -> [(Comparison, [[Cost]])] {
        // Connections are made, buffers grow and pools fill before anything counts.
        for comparison in comparisons {
            for proxy in [comparison.own] + comparison.peers {
                _ = try self.cost(of: proxy, comparison.load, seconds: 1)
            }
        }
        var costs = comparisons.map { [[Cost]](repeating: [], count: 1 + $0.peers.count) }
        for _ in 0..<(self.options.rounds ?? 5) {
            for (index, comparison) in comparisons.enumerated() {
                for (column, proxy) in ([comparison.own] + comparison.peers).enumerated() {
                    let cost = try self.cost(of: proxy, comparison.load, seconds: self.options.seconds)
                    costs[index][column].append(cost)
                }
            }
        }
        return Array(zip(comparisons, costs))
    }

    /// One row for each peer, or one alone.
    func rows(
        _ comparison: Comparison, _ costs: [[Cost]], unit: String = "µs", _ value: (Cost) -> Double
    ) -> [Row] {
        let names: [String?] = comparison.peers.isEmpty ? [nil] : comparison.peers.map(\.name)
        return names.enumerated().map { index, name in
            let peer = name == nil ? [] : costs[index + 1]
            var notes = index == 0 ? comparison.notes : []
            if self.proxyCore.isEmpty { notes.append("not pinned to a core") }
            let failed = costs[0].map(\.failed).reduce(0, +)
            let failedAtPeer = peer.map(\.failed).reduce(0, +)
            if failed + failedAtPeer > 0 { notes.append("failed requests: \(failed), at the peer \(failedAtPeer)") }
            return Row(
                what: comparison.what, unit: unit, slipway: costs[0].map(value), peer: name,
                peerValues: peer.map(value), note: notes.isEmpty ? nil : notes.joined(separator: "; "))
        }
    }

    /// Lets a program ask for some seconds.
    func cost(of proxy: Proxy, _ load: Load, seconds: Int) throws -> Cost {
        guard let program = Machine.find(load.program) else { throw Failure("\(load.program) is not installed") }
        if load.settling > 0 { _ = try self.run(load, on: proxy, with: program, seconds: load.settling) }
        let before = (cpu: proxy.worker.cpu, time: now())
        let result = try self.run(load, on: proxy, with: program, seconds: seconds)
        let after = (cpu: proxy.worker.cpu, time: now())
        return Cost(
            requests: result.requests, failed: result.failed, cpu: after.cpu - before.cpu,
            wall: after.time - before.time)
    }

    private func run(_ load: Load, on proxy: Proxy, with program: String, seconds: Int) throws -> Load.Result {
        try load.result(
            self.processes.run(
                self.otherCore + [program] + load.arguments(proxy, seconds), output: self.scratch.file("load.log")
            ).output)
    }
}
