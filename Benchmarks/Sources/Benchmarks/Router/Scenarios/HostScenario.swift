import Foundation

/// Ten thousand hosts beside one: CPU and memory. Every host has an instance of its own, so that a proxy may keep a
/// connection for each.
struct HostScenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        let hosts = (1...10_000).map { "host-\($0).localhost" }
        let last = [hosts[hosts.count - 1]]
        // Each load comes from the same script, so that the client costs the same.
        let one = try Load.rotating(over: last, scratch: self.stand.scratch)
        let all = try Load.rotating(over: hosts, scratch: self.stand.scratch)

        var small = try self.stand.startSlipway(self.setup(last))
        small.name = "Slipway, one host"
        let own = try self.stand.startSlipway(self.setup(hosts))
        let peers = try [Peer.nginx, .haproxy].compactMap { peer -> (small: Proxy, large: Proxy)? in
            guard var small = try self.stand.start(peer, self.setup(last)),
                let large = try self.stand.start(peer, self.setup(hosts))
            else { return nil }
            small.name += ", one host"
            return (small, large)
        }
        let what = "CPU per request, 10,000 hosts"
        var measured = try self.stand.costs(
            [
                Comparison(what: "\(what), one asked", load: one, own: own, peers: [small]),
                Comparison(
                    what: "\(what), each in turn", load: all, own: own, peers: peers.map(\.large),
                    notes: RouterStand.missing([.nginx, .haproxy])),
                Comparison(what: "", load: one, own: small, peers: peers.map(\.small)),
            ])
        let single = measured.removeLast()
        // The one host of a round beside all of the same round.
        measured[1].0.peers.insert(small, at: 0)
        measured[1].1.insert(single.1[0], at: 1)
        var rows = measured.flatMap { self.stand.rows($0.0, $0.1) { $0.microsecondsPerRequest } }
        // What as many hosts cost a peer, for comparison.
        for (index, costs) in zip(measured[1].1.dropFirst(2), single.1.dropFirst()).enumerated() {
            let ratios = zip(costs.0, costs.1).map { $0.microsecondsPerRequest / $1.microsecondsPerRequest }
            rows[2 + index].note = String(format: "at the peer %.2f of one host", ratios.median ?? .nan)
        }
        rows += ([small] + peers.map(\.large)).map { peer in
            Row(
                what: "memory, 10,000 hosts", unit: "MB", slipway: [own.memory / 1e6], peer: peer.name,
                peerValues: [peer.memory / 1e6])
        }
        try self.stand.end([small, own] + peers.flatMap { [$0.small, $0.large] })
        return rows
    }

    /// With an origin of its own: many proxies with as many connections would be too many for one.
    private func setup(_ hosts: [String]) throws -> Setup {
        var setup = self.stand.setup
        setup.hosts = hosts
        setup.origin = try self.stand.startOrigin()
        return setup
    }
}
