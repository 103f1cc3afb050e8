/// Bodies of several sizes over HTTP/1.1.
struct BodyScenario {
    let stand: RouterStand
    /// Whether only the larger bodies are measured.
    var onlyLarge = false

    func run() throws -> [Row] {
        let own = try self.stand.startSlipway(self.stand.setup)
        var setup = self.stand.setup
        let peers: [Peer] = self.onlyLarge ? [.nginx, .haproxy] : [.nginx, .haproxy, .caddy]
        let standard = try peers.map { ($0, try self.stand.start($0, setup)) }
        setup.variant = .largeBuffers
        let largeBuffers = try self.stand.start(.nginx, setup)
        setup.variant = .splice
        let splice = try self.stand.start(.haproxy, setup)
        let bodies = self.onlyLarge ? Array(RouterStand.bodies.dropFirst()) : RouterStand.bodies

        let rows = try self.stand.rows(
            bodies.map { body in
                let isSmall = body.size == RouterStand.bodies[0].size
                // Caddy's cost is nearly all in what does not depend on the body.
                let proxies =
                    standard.filter { isSmall || $0.0 != .caddy }.map(\.1) + (isSmall ? [] : [largeBuffers, splice])
                return Comparison(
                    what: "CPU per request, \(body.name)", load: .keepAlive(body.path), own: own,
                    peers: proxies.compactMap { $0 }, notes: isSmall ? RouterStand.missing(peers) : [])
            })
        try self.stand.end([own, largeBuffers, splice] + standard.map(\.1))
        return rows
    }
}
