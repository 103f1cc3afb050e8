import Testing

@testable import RouterCore

@Suite struct `A table of routes` {
    private func route(_ application: String, _ hosts: [String]) -> ApplicationRoute {
        ApplicationRoute(application: application, hosts: hosts, backends: [])
    }

    @Test(arguments: [
        ("www.example.com", "exact"), ("WWW.Example.COM", "exact"), ("a.example.com", "wild"),
        ("b.a.example.com", "wild"), ("x.deep.example.com", "deep"), ("example.com", "rest"), ("other", "rest"),
    ])
    func `finds the most specific host`(host: String, application: String) throws {
        let table = try RouteTable([
            self.route("exact", ["www.example.com"]), self.route("wild", ["*.example.com"]),
            self.route("deep", ["*.deep.example.com"]), self.route("rest", ["*"]),
        ])
        #expect(table.route(host: host)?.application == application)
    }

    @Test func `is a value: a change leaves the old one as it was`() throws {
        let one = try RouteTable([self.route("app", ["a", "b"])])
        let two = try one.setting(self.route("app", ["b", "c"]))
        #expect(one.route(host: "a") != nil)
        #expect(two.route(host: "a") == nil)
        #expect(two.route(host: "c")?.application == "app")
        #expect(two.removing(application: "app").route(host: "b") == nil)
        #expect(two.removing(application: "nobody").routes.count == 1)
    }

    @Test func `tells applications apart by case, and hosts not`() throws {
        let table = try RouteTable([self.route("App", ["a"]), self.route("app", ["b"]), self.route("100=app", [])])
        #expect(table.route(application: "App")?.hosts == ["a"])
        #expect(table.route(application: "app")?.hosts == ["b"])
        #expect(throws: RouterError.self) { try table.setting(self.route("third", ["A."])) }
    }

    @Test func `holds ten thousand`() throws {
        let table = try RouteTable((0..<10_000).map { self.route("app-\($0)", ["host-\($0).example"]) })
        for number in stride(from: 0, to: 10_000, by: 97) {
            #expect(table.route(host: "HOST-\(number).example")?.application == "app-\(number)")
        }
        #expect(table.route(host: "host-10000.example") == nil)
    }

    @Test(arguments: ["", "a b", "a:80", "http://a", "*.", "a.*.b", "*a", "[::1", "ä.example", ".a"])
    func `refuses what is not a host`(host: String) {
        #expect(throws: RouterError.self) { try RouteTable([self.route("app", [host])]) }
    }

    @Test(arguments: [
        [Backend(id: BackendID("a"), address: .ip(host: "::1", port: 0))],
        [Backend(id: BackendID("a"), address: .ip(host: "::1", port: 1), weight: 0)],
        [Backend(id: BackendID("a"), address: .ip(host: "::1", port: 1), maxInFlight: 0)],
        [Backend(id: BackendID("a"), address: .unix(path: ""))],
        [
            Backend(id: BackendID("a"), address: .unix(path: "/a")),
            Backend(id: BackendID("a"), address: .unix(path: "/b")),
        ],
    ])
    func `refuses instances that cannot be`(backends: [Backend]) {
        #expect(throws: RouterError.self) {
            try RouteTable([ApplicationRoute(application: "app", hosts: ["a"], backends: backends)])
        }
    }
}

@Suite struct `A choice of an instance` {
    private func pool(_ weights: [Int], limit: Int = 1000) -> ApplicationPool {
        let members = weights.enumerated().map { index, weight in
            ApplicationPool.Member(
                instance: Instance(Backend(id: BackendID("\(index)"), address: .unix(path: "/\(index)")), slot: index),
                weight: weight, limit: limit)
        }
        return ApplicationPool(
            route: ApplicationRoute(application: "app", hosts: [], backends: []), members: members,
            application: ApplicationState(name: "app"))
    }

    private func choose(
        _ pool: ApplicationPool, tried: [Instance] = [], now: UInt64 = 0, random: inout LoopRandom
    ) -> String {
        switch pool.select(tried: tried.map { ObjectIdentifier($0) }, now: now, random: &random) {
        case .instance(let instance): instance.id.rawValue
        case .busy: "busy"
        case .none: "none"
        }
    }

    @Test func `takes the less busy of two`() {
        let pool = self.pool([1, 1])
        var random = LoopRandom(seed: 1)
        for _ in 0..<20 { _ = self.choose(pool, random: &random) }
        #expect(pool.members.map(\.instance.load) == [10, 10])
    }

    @Test func `spreads over many`() {
        let pool = self.pool([1, 1, 1, 1, 1])
        var random = LoopRandom(seed: 2)
        for _ in 0..<500 { _ = self.choose(pool, random: &random) }
        #expect(pool.members.allSatisfy { (80...120).contains($0.instance.load) })
    }

    @Test func `keeps to the weights`() {
        let pool = self.pool([95, 5])
        var random = LoopRandom(seed: 3)
        var canary = 0
        for _ in 0..<2000 where self.choose(pool, random: &random) == "1" { canary += 1 }
        // Most find the first full in the end; what counts is the share before.
        let light = self.pool([95, 5], limit: 100_000)
        var share = 0
        for _ in 0..<2000 where self.choose(light, random: &random) == "1" { share += 1 }
        #expect((60...140).contains(share))
        #expect(canary >= share)
    }

    @Test func `respects limits, and what was tried`() {
        let pool = self.pool([1, 1], limit: 1)
        var random = LoopRandom(seed: 4)
        let first = pool.members[0].instance
        #expect(self.choose(pool, tried: [first], random: &random) == "1")
        #expect(self.choose(pool, random: &random) == "0")
        #expect(self.choose(pool, random: &random) == "busy")
        #expect(pool.freePlaces(now: 0) == 0)
        #expect(self.choose(pool, tried: pool.members.map(\.instance), random: &random) == "none")
        first.end(isStream: false)
        #expect(self.choose(pool, random: &random) == "0")
    }
}

@Suite struct `A trusted network` {
    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("192.168.4.0/22", "192.168.7.255", true),
        ("192.168.4.0/22", "192.168.8.0", false), ("127.0.0.1", "127.0.0.1", true), ("::1", "::1", true),
        ("fd00::/8", "fd12::1", true), ("0.0.0.0/0", "::1", false), ("10.0.0.0/8", "unknown", false),
    ])
    func `contains its addresses`(network: String, address: String, isInside: Bool) throws {
        #expect(try AddressRange(network).contains(ClientAddress(address) ?? .unknown) == isInside)
    }

    @Test(arguments: ["", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0"])
    func `is nothing else`(text: String) {
        #expect(throws: RouterError.self) { try AddressRange(text) }
    }
}
