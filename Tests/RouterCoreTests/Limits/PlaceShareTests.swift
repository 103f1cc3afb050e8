import NIOCore
import Testing

@testable import RouterCore

@Suite struct `A rule for places` {
    @Test(
        arguments: [
            ([100], 50, 50, 25), ([100], 100, .max, .max), ([100], 1, 1, 1), ([100], 99, 99, 1), ([4], 50, 2, 1),
            ([3], 50, 2, 1), ([2], 50, 1, 1), ([1], 50, 1, 1), ([10, 10, 10], 50, 5, 8), ([10, 100], 50, 5, 50),
            ([], 50, .max, .max), ([.max, .max], 50, .max / 2 + 1, 1),
        ] as [([Int], Int, Int, Int)]
    ) func `divides them`(limits: [Int], percent: Int, open: Int, perClient: Int) {
        let rule = PlaceRule(limits: limits, percent: percent)
        #expect(rule.open == open)
        #expect(rule.perClient == perClient)
    }
}

/// A queue and shares as the exchanges use them, with clients that come, end and give up by chance.
@Suite struct `Shares of places` {
    @Test(arguments: 0..<12) func `leave room for others, whatever one client does`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        let limits = (0...random.below(3)).map { _ in 1 + random.below(12) }
        let members = limits.enumerated().map { index, limit in
            ApplicationPool.Member(
                instance: Instance(Backend(id: BackendID("\(index)"), address: .unix(path: "/\(index)")), slot: index),
                weight: 1, limit: limit)
        }
        let pool = ApplicationPool(
            route: ApplicationRoute(application: "app", hosts: [], backends: []), members: members,
            application: ApplicationState(name: "app"), clientSharePercent: 50)
        let most = limits.count * pool.places.open + pool.places.perClient
        var held: [(client: ClientAddress, instance: Instance, isCounted: Bool)] = []
        for _ in 0..<3000 {
            let client = ClientAddress(ipv4: UInt32(random.below(4)))
            if random.below(3) > 0 {
                guard case .instance(let instance) = pool.select(tried: [], now: 0, random: &random) else {
                    #expect(pool.freePlaces(now: 0) == 0)
                    continue
                }
                guard let admission = pool.admit(client, to: instance) else {
                    instance.end(isStream: false)
                    continue
                }
                held.append((client, instance, admission == .scarce))
            } else if !held.isEmpty {
                let (client, instance, isCounted) = held.remove(at: random.below(held.count))
                if isCounted {
                    instance.endScarce()
                    pool.application.giveShare(client)
                }
                instance.end(isStream: false)
            }
            #expect(pool.application.sharesHeld == held.count { $0.isCounted })
            #expect(pool.freePlaces(now: 0) == limits.reduce(0, +) - held.count)
            for client in Set(held.map(\.client)) {
                #expect(held.count { $0.client == client } <= most)
                #expect(held.count { $0.client == client && $0.isCounted } <= pool.places.perClient)
            }
            for member in pool.members {
                let open = held.count { $0.instance === member.instance && !$0.isCounted }
                #expect(open <= pool.places.open)
                #expect(member.instance.hasTaken(open: pool.places.open) == (open == pool.places.open))
            }
        }
    }

    @Test func `are asked when the next request is called up`() {
        var queue = WaitQueue<Int>()
        for (ticket, client) in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3)] as [(Int, UInt32)] {
            let entry = WaitQueue.Entry(
                ticket: ticket, client: ClientAddress(ipv4: client), deadline: ticket == 2 ? 5 : 100, bytes: 1)
            _ = queue.join(entry, maxCount: 100)
        }
        var asked: Set<UInt128> = []
        let none = queue.next(
            now: 0,
            mayGo: {
                asked.insert($0.bits & 0xFF); return false
            }, expired: { _ in })
        #expect(none == nil && asked == [1, 2, 3])
        func next(_ refused: UInt32) -> Int? {
            queue.next(now: 10, mayGo: { $0 != ClientAddress(ipv4: refused) }, expired: { _ in })?.ticket
        }
        // The first of the second client has waited too long: that does not end the search.
        #expect([next(1), next(1), next(1), next(9), next(9)] == [4, 3, nil, 0, 1])
        #expect(queue.isEmpty)
    }
}

/// On a loop that is turned by hand.
@Suite struct `A client that wants all places` {
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func world(_ configure: (inout Router.Configuration) -> Void = { _ in }) throws -> HandWorker {
        try HandWorker(configure: {
            $0.maxInFlightPerBackend = 8
            $0.maxQueuedPerApplication = 4
            configure(&$0)
        })
    }

    /// Places that are taken.
    private func load(_ world: HandWorker) -> Int {
        world.worker.routes.find(application: "app")?.members[0].instance.load ?? -1
    }

    /// Connects so often from an address and sends the head of a long body each time.
    private func hog(_ world: HandWorker, _ count: Int, from address: String) -> [HandStream] {
        let clients = (0..<count).map { _ in world.connect(from: address) }
        for client in clients { client.send(Self.post) }
        world.settle()
        return clients
    }

    @Test(arguments: [("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:2::1")])
    func `gets its share, and others go past it`(hog: String, other: String) throws {
        let world = try self.world()
        let slow = self.hog(world, 20, from: hog)
        #expect(self.load(world) == 6, "four open places, and half of four")
        // Six with the instance, and as many more as would fit: with it, or in the queue.
        #expect(slow.count { $0.text.contains("X-Slipway-Error: queue-full") } == 20 - 8 - 4)
        for round in 1...5 {
            let client = world.connect(from: other)
            client.send(Self.get)
            world.settle()
            #expect(self.load(world) == 7, "\(round)")
            world.loop.upstreams[6].send(Self.answer)
            world.settle()
            #expect(client.text.hasSuffix("ok"))
        }
        #expect(slow.allSatisfy { !$0.text.contains("200 OK") })
    }

    @Test func `gets more as soon as its own requests end`() throws {
        let world = try self.world()
        let clients = self.hog(world, 10, from: "192.0.2.1")
        #expect(self.load(world) == 6)
        for ended in 1...4 {
            world.loop.upstreams[ended - 1].send(Self.answer)
            world.settle()
            #expect(self.load(world) == 6)
            #expect(world.loop.upstreams.count == 6 + ended)
        }
        for upstream in world.loop.upstreams { upstream.send(Self.answer) }
        world.settle()
        for client in clients { #expect(client.text.hasSuffix("ok")) }
        let application = try #require(world.worker.routes.find(application: "app")?.application)
        #expect(application.sharesHeld == 0)
    }

    @Test func `gets more when others have ended and open places are free`() throws {
        let world = try self.world()
        let other = (0..<4).map { _ in world.connect(from: "192.0.2.2") }
        for client in other { client.send(Self.get) }
        _ = self.hog(world, 5, from: "192.0.2.1")
        #expect(self.load(world) == 6)
        // Three wait, and get the places of three of the others.
        for (index, upstream) in world.loop.upstreams[0..<4].enumerated() {
            upstream.send(Self.answer)
            world.settle()
            #expect(self.load(world) == [6, 6, 6, 5][index])
        }
    }

    /// The instance that is chosen may have no open place while another one has.
    @Test(arguments: [InstanceSelection.roundRobin, .leastBusy, .sticky(cookie: "s")])
    func `gets an open place wherever there is one`(selection: InstanceSelection) throws {
        let world = try HandWorker(
            configure: { $0.maxInFlightPerBackend = 4 },
            change: {
                $0.selection = selection
                $0.backends.append(Backend(id: BackendID("web.2"), address: .ip(host: "127.0.0.1", port: 2)))
            })
        let clients = (0..<40).map { _ in world.connect() }
        clients[0].send(Self.get)
        world.settle()
        world.loop.upstreams[0].send(Self.answer)
        world.settle()
        let cookie = clients[0].text.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: ") }
        let field = cookie.map { "Cookie: \($0.dropFirst(12).prefix { $0 != ";" })\r\n" } ?? ""
        for client in clients.dropFirst() {
            client.send("POST / HTTP/1.1\r\nHost: a\r\n\(field)Content-Length: 1\r\n\r\n1")
            world.settle()
        }
        func load() -> Int {
            world.worker.routes.find(application: "app")?.members.reduce(0) { $0 + $1.instance.load } ?? -1
        }
        #expect(load() == 6)
        let last = Self.answer.replacing("200 OK\r\n", with: "200 OK\r\nConnection: close\r\n")
        var answered = 1
        for _ in 0..<30 {
            let open = world.loop.upstreams.indices.filter { !world.loop.upstreams[$0].isClosed }
            for index in open where world.loop.upstreams[index].text.hasSuffix("\r\n\r\n1") {
                world.loop.upstreams[index].send(last)
                world.settle()
                answered += 1
                #expect(load() == min(6, 40 - answered))
            }
        }
        #expect(load() == 0)
        #expect(clients.allSatisfy { $0.text.hasSuffix("ok") })
    }

    /// Whoever is called up for a place that it cannot have would be called up again at once, without an end.
    @Test func `waits in peace while the only free places are with an instance that was set aside`() throws {
        let world = try HandWorker(
            configure: { $0.maxInFlightPerBackend = 1 },
            change: { $0.backends.append(Backend(id: BackendID("web.2"), address: .ip(host: "127.0.0.1", port: 2))) })
        let pool = try #require(world.worker.routes.find(application: "app"))
        let aside = pool.members[1].instance
        for _ in 0..<9 { _ = aside.failed(now: world.loop.now(), policy: EjectionPolicy()) { true } }
        #expect(aside.isEjected(now: world.loop.now()))
        let clients = (0..<3).map { _ in world.connect() }
        for client in clients { client.send(Self.get) }
        world.settle()
        #expect(world.loop.upstreams.count == 1)
        #expect(pool.freePlaces(now: world.loop.now()) == 0)
        for _ in 0..<3 {
            world.loop.upstreams[0].send(Self.answer)
            world.settle()
        }
        #expect(clients.allSatisfy { $0.text.hasSuffix("ok") })
    }

    @Test func `may set the limit off`() throws {
        let world = try self.world { $0.clientSharePercent = 100 }
        _ = self.hog(world, 20, from: "192.0.2.1")
        #expect(self.load(world) == 8)
    }

    @Test func `is whom a trusted proxy names, and not the proxy`() throws {
        let proxies = [try AddressRange("10.0.0.0/8")]
        let world = try self.world { $0.trustedProxies = proxies }
        func ask(_ client: String?) {
            let field = client.map { "X-Forwarded-For: 198.51.100.9, \($0)\r\n" } ?? ""
            world.connect(from: "10.0.0.1").send("GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
            world.settle()
        }
        for _ in 0..<8 { ask("192.0.2.1") }
        #expect(self.load(world) == 6)
        ask("192.0.2.2")
        #expect(self.load(world) == 7)
        ask(nil)
        #expect(self.load(world) == 8)
    }

    @Test func `of streams holds no places with them`() throws {
        let world = try self.world()
        for _ in 0..<20 {
            world.connect().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            world.settle()
            world.loop.upstreams.last?.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            world.settle()
        }
        #expect(self.load(world) == 0)
        _ = self.hog(world, 20, from: "203.0.113.7")
        #expect(self.load(world) == 6)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A slow crowd from one address` {
    @Test(arguments: Driver.allCases) func `does not keep others out`(driver: Driver) async throws {
        let origin = try await TestOrigin { $0.path == "/slow" ? .hold : .echo }
        let proxies = [try AddressRange("127.0.0.0/8")]
        try await withRouter(driver, configure: { $0.listeners[0].proxyProtocolFrom = proxies }) { router, port in
            try router.setOrigins([origin], maxInFlight: 8)
            func ask(_ path: String, as client: String) async throws -> RawClient {
                let connection = try await RawClient(port: port)
                connection.send(
                    "PROXY TCP4 \(client) 192.0.2.9 1000 80\r\nGET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                return connection
            }
            var clients: [RawClient] = []
            for _ in 0..<40 { clients.append(try await ask("/slow", as: "192.0.2.1")) }
            await origin.requests(atLeast: 6)
            for number in 0..<20 {
                let client = try await ask("/", as: "192.0.2.\(2 + number % 2)")
                #expect(await client.response()?.status == 200)
                await client.close()
            }
            #expect(origin.requests.count { $0.path == "/slow" } == 6)
            origin.release()
            for client in clients {
                #expect(await client.response()?.status == 200)
                await client.close()
            }
        }
        await origin.stop()
    }
}
