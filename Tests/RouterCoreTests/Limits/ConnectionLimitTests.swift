import Testing

@testable import RouterCore

@Suite struct `A count of connections` {
    private func census(
        total: Int = 100, perAddress: Int = 2, perSite: Int = 100, trusted: [String] = []
    ) throws -> ConnectionCensus {
        var configuration = Router.Configuration()
        configuration.maxConnections = total
        configuration.maxConnectionsPerAddress = perAddress
        configuration.maxConnectionsPerIPv6Site = perSite
        configuration.trustedProxies = try trusted.map { try AddressRange($0) }
        return ConnectionCensus(configuration)
    }

    private func enter(_ census: ConnectionCensus, _ address: String?) throws -> String {
        let client = try address.map { try #require(ClientAddress($0)) }
        switch census.enter(client) {
        case .success(let network): return network?.text ?? "-"
        case .failure(let refusal): return refusal.code.rawValue
        }
    }

    @Test(
        arguments: [
            (["192.0.2.1", "192.0.2.1", "192.0.2.1"], "too-many-connections-from-address"),
            (["192.0.2.1", "192.0.2.1", "192.0.2.2"], "192.0.2.2"),
            // An IPv4 address is the same however it is written.
            (["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], "too-many-connections-from-address"),
            // A household has 64 bits to itself.
            (["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"], "too-many-connections-from-address"),
            (["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1"], "2001:db8:0:2::"),
            // Proxies have many clients.
            (["10.0.0.1", "10.0.0.1", "10.0.0.1"], "-"),
        ]) func `tells clients apart by address`(addresses: [String], last: String) throws
    {
        let census = try self.census(trusted: ["10.0.0.0/8"])
        let answers = try addresses.map { try self.enter(census, $0) }
        #expect(answers.last == last)
    }

    @Test func `tells the owners of many networks apart, too`() throws {
        let census = try self.census(perSite: 3)
        for network in 1...3 {
            #expect(try self.enter(census, "2001:db8:7:\(network)::1") == "2001:db8:7:\(network)::")
        }
        #expect(try self.enter(census, "2001:db8:7:4::1") == "too-many-connections-from-address")
        #expect(try self.enter(census, "2001:db8:8:4::1") == "2001:db8:8:4::")
        // IPv4 addresses are no part of a site.
        for address in 1...9 { #expect(try self.enter(census, "192.0.2.\(address)") == "192.0.2.\(address)") }
        census.leave(ClientAddress("2001:db8:7:2::"))
        #expect(try self.enter(census, "2001:db8:7:4::1") == "2001:db8:7:4::")
        #expect(try self.enter(census, "2001:db8:7:5::1") == "too-many-connections-from-address")
        // Who was refused is not counted anywhere.
        for network in [1, 3, 4] { census.leave(ClientAddress("2001:db8:7:\(network)::")) }
        for network in 5...7 { #expect(try self.enter(census, "2001:db8:7:\(network)::1").hasPrefix("2001:")) }
    }

    @Test func `has an end, and gets free again`() throws {
        let census = try self.census(total: 3)
        #expect(try self.enter(census, "192.0.2.1") == "192.0.2.1")
        #expect(try self.enter(census, "192.0.2.2") == "192.0.2.2")
        #expect(try self.enter(census, nil) == "-")
        #expect(try self.enter(census, "192.0.2.3") == "too-many-connections")
        census.leave(ClientAddress("192.0.2.1"))
        census.leave(ClientAddress("192.0.2.2"))
        census.leave(nil)
        #expect(census.total == 0)
        for _ in 0..<2 { #expect(try self.enter(census, "192.0.2.1") == "192.0.2.1") }
        #expect(try self.enter(census, "192.0.2.1") == "too-many-connections-from-address")
    }

    @Test func `counts a connection for the client that turns out to be its own`() throws {
        let census = try self.census(perAddress: 1)
        let client = try #require(ClientAddress("192.0.2.1"))
        #expect(try self.enter(census, nil) == "-")
        #expect(try census.identify(client) == client)
        #expect(try self.enter(census, nil) == "-")
        #expect(throws: ConnectionCensus.Refusal.self) { try census.identify(client) }
        census.leave(nil)
        census.leave(client)
        #expect(census.total == 0)
        #expect(try census.identify(client) == client)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A limit of connections` {
    private static let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    private func expectAnswer(_ text: String, _ status: String, _ code: String) {
        #expect(text.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(text)")
        #expect(text.contains("\r\nX-Slipway-Error: \(code)\r\n"))
        #expect(text.contains("\r\nRetry-After: "))
        #expect(text.contains("\r\nX-Request-ID: "))
        #expect(text.contains("\r\nConnection: close\r\n"))
    }

    @Test(arguments: Driver.allCases) func `in total is answered without a request`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await withRouter(driver, configure: { $0.maxConnections = 2 }) { router, port in
            try router.setOrigins([origin])
            let served = try await RawClient(port: port)
            // However many requests a connection carries, it is one.
            for _ in 0..<5 {
                served.send(Self.request)
                #expect(await served.response()?.status == 200)
            }
            let second = try await RawClient(port: port)
            second.send(Self.request)
            #expect(await second.response()?.status == 200)
            let refused = try await onThread { try ScriptSocket(port: port).readToEnd() }
            self.expectAnswer(refused, "503 Service Unavailable", "too-many-connections")
            await second.close()
            // The place is free as soon as the router has seen the end of the other one.
            var status: Int?
            for _ in 0..<200 where status != 200 {
                let third = try await RawClient(port: port)
                third.send(Self.request)
                status = await third.response()?.status
                await third.close()
            }
            #expect(status == 200)
            await served.close()
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `is answered to who has sent its end`(driver: Driver) async throws {
        try await withRouter(driver, configure: { $0.maxConnections = 1 }) { _, port in
            let served = try await RawClient(port: port)
            served.send(Self.request)
            #expect(await served.response()?.status == 404)
            let refused = try await onThread {
                let client = try ScriptSocket(port: port)
                try client.write(Self.request)
                client.finishWriting()
                return client.readToEnd()
            }
            self.expectAnswer(refused, "503 Service Unavailable", "too-many-connections")
            await served.close()
        }
    }

    @Test(arguments: Driver.allCases) func `from an address is answered to who is already sending`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        try await withRouter(driver, configure: { $0.maxConnectionsPerAddress = 1 }) { router, port in
            try router.setOrigins([origin])
            let served = try await RawClient(port: port)
            served.send(Self.request)
            #expect(await served.response()?.status == 200)
            for _ in 0..<20 {
                let refused = try await onThread {
                    let client = try ScriptSocket(port: port)
                    try client.write(Self.request + String(repeating: "x", count: 30_000))
                    return client.readToEnd()
                }
                self.expectAnswer(refused, "429 Too Many Requests", "too-many-connections-from-address")
            }
            served.send(Self.request)
            #expect(await served.response()?.status == 200)
            await served.close()
        }
        #expect(origin.requests.count == 2)
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `closes what would begin with a handshake`(driver: Driver) async throws {
        let store = CertificateStore()
        try store.set(try TestAuthority().issue(["a.example"]).certificate)
        try await withRouter(
            driver,
            configure: {
                $0.threads = 1
                $0.listeners = [.init(host: "127.0.0.1", port: 0, security: .tls)]
                $0.maxConnections = 1
            }, certificates: store
        ) { _, port in
            let first = try await RawClient(port: port)
            first.send([22, 3, 1])
            let refused = try await onThread { try ScriptSocket(port: port).readToEnd() }
            #expect(refused == "")
            await first.close()
        }
    }

    @Test(arguments: Driver.allCases) func `counts those whom a proxy names, and not the proxy`(driver: Driver)
        async throws
    {
        let origin = try await TestOrigin { _ in .echo }
        let proxies = [try AddressRange("127.0.0.0/8")]
        try await withRouter(
            driver,
            configure: {
                $0.listeners[0].proxyProtocolFrom = proxies
                $0.maxConnectionsPerAddress = 1
            }
        ) { router, port in
            try router.setOrigins([origin])
            func connect(_ client: String) async throws -> (RawClient, status: Int?) {
                let connection = try await RawClient(port: port)
                connection.send("PROXY TCP4 \(client) 192.0.2.9 1000 80\r\n" + Self.request)
                return (connection, await connection.response()?.status)
            }
            let silent = [try await RawClient(port: port), try await RawClient(port: port)]
            let (one, first) = try await connect("192.0.2.1")
            #expect(first == 200)
            let (two, second) = try await connect("192.0.2.2")
            #expect(second == 200)
            let (three, third) = try await connect("192.0.2.1")
            #expect(third == 429)
            for client in silent + [one, two, three] { await client.close() }
        }
        await origin.stop()
    }
}
