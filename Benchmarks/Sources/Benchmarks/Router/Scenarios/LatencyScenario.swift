import Foundation

/// How long answers take at 70 % of the rate at which HAProxy fills one core.
struct LatencyScenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        let own = try self.stand.startSlipway(self.stand.setup)
        let haproxy = try self.stand.start(.haproxy, self.stand.setup)
        let nginx = try self.stand.start(.nginx, self.stand.setup)
        let proxies = [own] + [haproxy, nginx].compactMap { $0 }
        // Where HAProxy is missing, Slipway's own cost decides.
        let costs = try (0..<3).map { _ in
            try self.stand.cost(of: haproxy ?? own, .keepAlive("/13B"), seconds: self.stand.options.seconds)
        }
        let rate = Int(0.7e6 / (costs.map(\.microsecondsPerRequest).median ?? .nan))

        // The origin without a proxy says what the client and the origin add.
        let asked = proxies.map { ($0.name, $0.ports.clear) } + [("the origin alone", self.stand.origin)]
        var answers = asked.map { _ in [PacedClient.Summary]() }
        for round in 0...(self.stand.options.rounds ?? 5) {
            for (index, target) in asked.enumerated() {
                let summary = try self.ask(target.1, rate: rate)
                // The first makes connections and fills pools.
                if round > 0 { answers[index].append(summary) }
            }
        }
        try self.stand.end(proxies)
        return [("p50", \PacedClient.Summary.p50), ("p99", \.p99)].flatMap { name, value in
            (1..<asked.count).map { index in
                Row(
                    what: "\(name) at \(rate) requests per second", unit: "µs",
                    slipway: answers[0].map { $0[keyPath: value] }, peer: asked[index].0,
                    peerValues: answers[index].map { $0[keyPath: value] },
                    note: self.note(answers[0], answers[index], rate, isFirst: index == 1))
            }
        }
    }

    /// What a reader has to know: a rate that was not kept, failures, missing peers.
    private func note(
        _ own: [PacedClient.Summary], _ peer: [PacedClient.Summary], _ rate: Int, isFirst: Bool
    ) -> String? {
        var notes = isFirst ? RouterStand.missing([.haproxy, .nginx]) : []
        for (name, summaries) in [("here", own), ("at the peer", peer)] {
            let slowest = (summaries.map(\.rate).min() ?? 0) / Double(rate)
            if slowest < 0.98 { notes.append(String(format: "rate reached %@: %.0f %%", name, slowest * 100)) }
            let failed = summaries.map(\.failed).reduce(0, +)
            if failed > 0 { notes.append("failed requests \(name): \(failed)") }
        }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private func ask(_ port: Int, rate: Int) throws -> PacedClient.Summary {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let output = try self.stand.processes.run(
            self.stand.otherCore + [
                program, PacedClient.argument, "\(port)", "\(rate)", "\(self.stand.options.seconds)",
            ], output: self.stand.scratch.file("paced.log")
        ).output
        return try JSONDecoder().decode(PacedClient.Summary.self, from: Data(output.utf8))
    }
}
