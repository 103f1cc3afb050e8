/// TLS 1.3 over HTTP/1.1: requests on kept connections, and connections of one request.
struct TLSScenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        try self.stand.withSecureProxies { own, peers, notes in
            let measured = try self.stand.costs([
                Comparison(
                    what: "CPU per request, HTTP/1.1 over TLS", load: .secureKeepAlive, own: own, peers: peers,
                    notes: notes),
                Comparison(what: "CPU per TLS connection of one request", load: .handshakes, own: own, peers: peers),
            ])
            return measured.flatMap { self.stand.rows($0.0, $0.1) { $0.microsecondsPerRequest } }
                + self.rates(measured[1])
        }
    }

    /// The same the other way round.
    private func rates(_ measured: (Comparison, [[Cost]])) -> [Row] {
        var comparison = measured.0
        comparison.what = "full handshakes per CPU second"
        return self.stand.rows(comparison, measured.1, unit: "/s") { 1e6 / $0.microsecondsPerRequest }
    }
}

/// Clients that speak HTTP/2, over TLS and in clear text.
struct HTTP2Scenario {
    let stand: RouterStand

    func run() throws -> [Row] {
        try self.stand.withSecureProxies { own, peers, notes in
            try self.stand.rows([
                Comparison(
                    what: "CPU per request, HTTP/2 over TLS", load: .http2(isSecure: true), own: own, peers: peers,
                    notes: notes),
                Comparison(
                    what: "CPU per request, HTTP/2 in clear text", load: .http2(isSecure: false), own: own,
                    peers: peers),
            ])
        }
    }
}

extension RouterStand {
    fileprivate func withSecureProxies(_ body: (Proxy, [Proxy], [String]) throws -> [Row]) throws -> [Row] {
        guard let certificate = try self.certificate() else { throw Failure("openssl is not installed") }
        var setup = self.setup
        setup.certificate = certificate
        let own = try self.startSlipway(setup)
        let peers = try [Peer.nginx, .haproxy].compactMap { try self.start($0, setup) }
        let rows = try body(own, peers, Self.missing([.nginx, .haproxy]))
        try self.end([own] + peers)
        return rows
    }
}
