import Testing

@testable import RouterCore

@Suite struct `A pool's choice` {
    static let key = SecretKey(1, 2)

    private struct Spec {
        var weight = 1
        var release: String?
        var since: UInt64 = 0
    }

    private func pool(
        _ specs: [Spec], limit: Int = 100_000, _ change: (inout ApplicationRoute) -> Void = { _ in }
    ) -> ApplicationPool {
        let backends = specs.enumerated().map { index, spec in
            Backend(
                id: BackendID("\(index)"), address: .unix(path: "/\(index)"), weight: spec.weight,
                release: spec.release)
        }
        var route = ApplicationRoute(application: "app", hosts: [], backends: backends)
        change(&route)
        let members = zip(backends, specs).map { backend, spec in
            ApplicationPool.Member(
                instance: Instance(backend, slot: 0, since: spec.since), weight: backend.weight, limit: limit)
        }
        return ApplicationPool(
            route: route, members: members, application: ApplicationState(name: "app"), key: Self.key)
    }

    private func choose(
        _ pool: ApplicationPool, now: UInt64 = 0, _ preference: InstancePreference = InstancePreference(),
        random: inout LoopRandom
    ) -> Int {
        switch pool.select(tried: [], now: now, random: &random, preference: preference) {
        case .instance(let instance): pool.members.firstIndex { $0.instance === instance } ?? -1
        case .busy, .none: -1
        }
    }

    // MARK: Turns

    @Test(
        arguments: [
            ([5, 1, 1], [0, 0, 1, 0, 2, 0, 0]), ([1, 1, 1], [0, 1, 2]), ([2, 4], [1, 0, 1]), ([7], []),
        ] as [([Int], [UInt16])])
    func `takes turns as evenly as weights allow`(weights: [Int], expected: [UInt16]) {
        #expect(InstanceGroup.sequence(weights) == expected)
    }

    @Test func `keeps turns short with large weights`() {
        let sequence = InstanceGroup.sequence([999_983, 1])
        #expect(sequence.count <= 1025)
        #expect(sequence.count { $0 == 1 } == 1)
    }

    @Test func `gives everyone its turns`() {
        let pool = self.pool([Spec(weight: 3), Spec(weight: 1)]) { $0.selection = .roundRobin }
        var random = LoopRandom(seed: 1)
        let choices = (0..<8).map { _ in self.choose(pool, random: &random) }
        #expect(choices == [0, 0, 1, 0, 0, 0, 1, 0])
    }

    // MARK: Cookies

    @Test func `stays with the instance of the cookie`() throws {
        let pool = self.pool([Spec(), Spec(), Spec()], limit: 10) { $0.selection = .sticky(cookie: "s") }
        var random = LoopRandom(seed: 2)
        let first = TestRequest("/", fields: [("Cookie", "x=y")])
        let preference = pool.preference(for: first)
        #expect(preference == InstancePreference())
        let choice = self.choose(pool, preference, random: &random)
        let instance = pool.members[choice].instance
        let line = try #require(pool.cookieLine(for: instance, preference: preference, isSecure: true))
        let text = String(decoding: line, as: UTF8.self)
        #expect(text.hasPrefix("Set-Cookie: s="))
        #expect(text.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure\r\n"))
        let value = String(text.dropFirst("Set-Cookie: s=".count).prefix(16))
        let next = pool.preference(for: TestRequest("/", fields: [("Cookie", "x=y; ss=1;s=\(value); z")]))
        for _ in 0..<9 { #expect(self.choose(pool, next, random: &random) == choice) }
        #expect(pool.cookieLine(for: instance, preference: next, isSecure: true) == nil)
        // Full: another one helps out, and the client keeps its cookie.
        let other = self.choose(pool, next, random: &random)
        #expect(other != choice)
        #expect(pool.cookieLine(for: pool.members[other].instance, preference: next, isSecure: true) == nil)
    }

    @Test(arguments: ["s=0123456789abcdef", "s=", "s=0123456789abcdeg", "s", "", "S=0123456789abcdef"])
    func `gives a new cookie for one that names nobody`(cookie: String) {
        let pool = self.pool([Spec(), Spec()]) { $0.selection = .sticky(cookie: "s", maxAge: .seconds(60)) }
        var random = LoopRandom(seed: 3)
        let preference = pool.preference(for: TestRequest("/", fields: [("cookie", cookie)]))
        let instance = pool.members[self.choose(pool, preference, random: &random)].instance
        let line = pool.cookieLine(for: instance, preference: preference, isSecure: false) ?? []
        #expect(String(decoding: line, as: UTF8.self).hasSuffix("; SameSite=Lax; Max-Age=60\r\n"))
    }

    @Test func `names instances so that it cannot be computed`() {
        let one = StickyCookie.token(BackendID("a"), application: "app", key: Self.key)
        #expect(one != StickyCookie.token(BackendID("a"), application: "app", key: SecretKey(1, 3)))
        #expect(one != StickyCookie.token(BackendID("a"), application: "app2", key: Self.key))
        #expect(one == StickyCookie.token(BackendID("a"), application: "app", key: Self.key))
    }

    // MARK: Releases

    private func releases(_ weights: [Int]) -> ReleaseChoice {
        var route = ApplicationRoute(application: "app", hosts: [], backends: [])
        route.releases = weights.enumerated().map { ReleaseShare("v\($0)", weight: $1) }
        return ReleaseChoice(route, key: Self.key)
    }

    private func assignments(_ weights: [Int], clients: Int = 4000) -> [Int] {
        let choice = self.releases(weights)
        return (0..<clients).map { choice.release(for: ClientAddress(ipv4: UInt32($0 &* 7919))) ?? -1 }
    }

    @Test(arguments: [[95, 5], [1, 1], [50, 30, 20], [1, 0, 3]])
    func `divides clients in the proportions of the shares`(weights: [Int]) {
        let assignments = self.assignments(weights)
        let total = weights.reduce(0, +)
        for (release, weight) in weights.enumerated() {
            let expected = assignments.count * weight / total
            let count = assignments.count { $0 == release }
            #expect(abs(count - expected) < 130, "\(count) instead of \(expected)")
        }
    }

    @Test(arguments: 0..<6) func `moves clients only to a share that grows, and only from one that shrinks`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        let weights = (0..<(2 + random.below(4))).map { _ in 1 + random.below(100) }
        let changed = random.below(weights.count)
        var raised = weights
        raised[changed] += 1 + random.below(100)
        let pairs = zip(self.assignments(weights), self.assignments(raised))
        let moved = pairs.filter { $0 != $1 }
        #expect(!moved.isEmpty)
        #expect(moved.allSatisfy { $1 == changed })
    }

    @Test func `knows clients by network, or by a field`() {
        let choice = self.releases([1, 1])
        for network in 0..<50 {
            let one = ClientAddress("2001:db8:0:\(network)::1") ?? .unknown
            let two = ClientAddress("2001:db8:0:\(network):ffff::2") ?? .unknown
            #expect(choice.release(for: one) == choice.release(for: two))
        }
        var route = ApplicationRoute(application: "app", hosts: [], backends: [])
        route.releases = [ReleaseShare("a", weight: 1), ReleaseShare("b", weight: 1)]
        route.releaseKey = .header("X-User")
        let byUser = ReleaseChoice(route, key: Self.key)
        var seen = Set<Int?>()
        for user in 0..<20 {
            let releases = (0..<5).map { address in
                byUser.release(
                    for: TestRequest("/", client: "10.0.0.\(address)", fields: [("x-user", "\(user)")]))
            }
            #expect(Set(releases).count == 1)
            seen.insert(releases[0])
        }
        #expect(seen == [0, 1])
        let without = TestRequest("/", client: "10.0.0.1")
        #expect(byUser.release(for: without) == byUser.release(for: without.client))
    }

    @Test func `stays inside the release while it can`() {
        let pool = self.pool([Spec(release: "a"), Spec(release: "b"), Spec(release: "b"), Spec()], limit: 4) {
            $0.releases = [ReleaseShare("a", weight: 1), ReleaseShare("b", weight: 1), ReleaseShare("gone", weight: 1)]
        }
        var random = LoopRandom(seed: 4)
        let toB = InstancePreference(release: 1)
        let choices = (0..<8).map { _ in self.choose(pool, toB, random: &random) }
        #expect(Set(choices) == [1, 2])
        #expect([0, 3].contains(self.choose(pool, toB, random: &random)))
        #expect([0, 3].contains(self.choose(pool, InstancePreference(release: 2), random: &random)))
    }

    @Test func `takes a client to its release even when its cookie names another`() {
        let pool = self.pool([Spec(release: "a"), Spec(release: "b")]) {
            $0.releases = [ReleaseShare("a", weight: 1), ReleaseShare("b", weight: 1)]
            $0.selection = .sticky(cookie: "s")
        }
        var random = LoopRandom(seed: 5)
        let token = StickyCookie.token(BackendID("0"), application: "app", key: Self.key)
        let preference = InstancePreference(token: token, release: 1)
        #expect(self.choose(pool, preference, random: &random) == 1)
        let line = pool.cookieLine(for: pool.members[1].instance, preference: preference, isSecure: false)
        #expect(line != nil)
        #expect(self.choose(pool, InstancePreference(token: token, release: 0), random: &random) == 0)
    }

    // MARK: Slow start

    @Test(arguments: [(0, 91), (500, 355), (999, 500), (2000, 500)])
    func `gives a new instance its share little by little`(milliseconds: UInt64, perMille: Int) {
        let second: UInt64 = 1_000_000_000
        let pool = self.pool([Spec(), Spec(since: 10 * second)]) { $0.slowStart = .seconds(1) }
        var random = LoopRandom(seed: 6)
        let now = 10 * second + milliseconds * 1_000_000
        let share = (0..<10_000).count { _ in self.choose(pool, now: now, random: &random) == 1 }
        #expect(abs(share / 10 - perMille) < 20, "\(share)")
    }

    @Test func `divides evenly among instances that are all new`() {
        let pool = self.pool([Spec(since: 5), Spec(since: 5)]) { $0.slowStart = .seconds(1) }
        var random = LoopRandom(seed: 7)
        let share = (0..<2000).count { _ in self.choose(pool, now: 6, random: &random) == 1 }
        #expect((900...1100).contains(share))
    }

    // MARK: Ejection

    private func fail(_ pool: ApplicationPool, _ index: Int, times: Int, now: UInt64, _ policy: EjectionPolicy)
        -> Duration?
    {
        var last: Duration?
        for _ in 0..<times { last = pool.failed(pool.members[index].instance, now: now, policy: policy) ?? last }
        return last
    }

    @Test func `sets aside after failures in a row, for longer each time, and forgets`() {
        let pool = self.pool([Spec(), Spec()])
        let policy = EjectionPolicy()
        let bad = pool.members[0].instance
        #expect(self.fail(pool, 0, times: 2, now: 1, policy) == nil)
        bad.succeeded()
        #expect(self.fail(pool, 0, times: 2, now: 1, policy) == nil)
        var now: UInt64 = 1
        for times in [1, 2, 3, 4] {
            #expect(self.fail(pool, 0, times: 3, now: now, policy) == .milliseconds(500) * times)
            #expect(bad.isEjected(now: now + UInt64(times) * 500_000_000 - 1))
            #expect(self.fail(pool, 0, times: 9, now: now, policy) == nil)
            now += UInt64(times) * 500_000_000
            #expect(!bad.isEjected(now: now))
        }
        for _ in 0..<20 where self.fail(pool, 0, times: 3, now: now, policy) != nil { now += 5_000_000_000 }
        #expect(self.fail(pool, 0, times: 3, now: now, policy) == .seconds(5))
        #expect(self.fail(pool, 0, times: 3, now: now + 66_000_000_000, policy) == .milliseconds(500))
    }

    @Test(arguments: [
        (1, 50, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (10, 50, 5), (10, 10, 1), (5, 10, 1), (4, 100, 3), (4, 0, 0),
    ])
    func `sets aside a part of the pool only`(count: Int, percent: Int, most: Int) {
        let pool = self.pool(Array(repeating: Spec(), count: count))
        var policy = EjectionPolicy()
        policy.maxEjectedPercent = percent
        for index in 0..<count { _ = self.fail(pool, index, times: 5, now: 1, policy) }
        #expect(pool.members.count { $0.instance.isEjected(now: 2) } == most)
    }

    @Test func `gives a failing instance its requests while there is no other`() {
        let pool = self.pool([Spec(), Spec()], limit: 1)
        var random = LoopRandom(seed: 8)
        _ = self.fail(pool, 0, times: 3, now: 1, EjectionPolicy())
        #expect(self.choose(pool, now: 2, random: &random) == 1)
        #expect(self.choose(pool, now: 2, random: &random) == -1)
    }
}
