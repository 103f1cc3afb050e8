import Testing

@testable import RouterCore

@Suite struct `A choice among healthy instances` {
    private static let second: UInt64 = 1_000_000_000

    private func pool(_ count: Int, _ change: (inout ApplicationRoute) -> Void = { _ in }) -> ApplicationPool {
        let backends = (0..<count).map { Backend(id: BackendID("\($0)"), address: .unix(path: "/\($0)")) }
        var route = ApplicationRoute(application: "app", hosts: [], backends: backends)
        change(&route)
        let members = backends.map { ApplicationPool.Member(instance: Instance($0, slot: 0), weight: 1, limit: 100) }
        return ApplicationPool(
            route: route, members: members, application: ApplicationState(name: "app"), key: SecretKey(1, 2))
    }

    private func choices(
        _ pool: ApplicationPool, times: Int = 100, now: UInt64 = 0,
        _ preference: InstancePreference = InstancePreference()
    ) -> [String: Int] {
        var random = LoopRandom(seed: 1)
        var counts: [String: Int] = [:]
        for _ in 0..<times {
            guard
                case .instance(let instance) = pool.select(
                    tried: [], now: now, random: &random, preference: preference)
            else { continue }
            counts[instance.id.rawValue, default: 0] += 1
            instance.end(isStream: false)
        }
        return counts
    }

    @Test(arguments: [InstanceSelection.leastBusy, .roundRobin, .sticky(cookie: "s")])
    func `is never one that is not`(selection: InstanceSelection) {
        let pool = self.pool(3) { $0.selection = selection }
        pool.members[1].instance.leaveOut()
        #expect(Set(self.choices(pool.withCurrentHealth()).keys) == ["0", "2"])
        pool.members[1].instance.comeBack(now: 0)
        #expect(Set(self.choices(pool.withCurrentHealth()).keys) == ["0", "1", "2"])
    }

    @Test func `does not fall back on one that is not, but on one that is set aside`() {
        let pool = self.pool(2)
        let policy = EjectionPolicy()
        for _ in 0..<policy.consecutiveFailures { _ = pool.failed(pool.members[0].instance, now: 0, policy: policy) }
        pool.members[1].instance.leaveOut()
        let changed = pool.withCurrentHealth()
        #expect(changed.members[0].instance.isEjected(now: 1))
        #expect(self.choices(changed, now: 1) == ["0": 100])
        changed.members[0].instance.leaveOut()
        #expect(self.choices(changed.withCurrentHealth(), now: 1) == [:])
    }

    @Test func `brings a client back to the instance of its cookie`() throws {
        let pool = self.pool(3) { $0.selection = .sticky(cookie: "s") }
        let line = try #require(
            pool.cookieLine(for: pool.members[1].instance, preference: InstancePreference(), isSecure: false))
        let value = String(decoding: line, as: UTF8.self).dropFirst("Set-Cookie: s=".count).prefix(16)
        let request = TestRequest("/", fields: [("Cookie", "s=\(value)")])
        #expect(self.choices(pool, pool.preference(for: request)) == ["1": 100])
        pool.members[1].instance.leaveOut()
        let changed = pool.withCurrentHealth()
        let preference = changed.preference(for: request)
        #expect(Set(self.choices(changed, preference).keys) == ["0", "2"])
        // It keeps its cookie meanwhile.
        #expect(changed.cookieLine(for: pool.members[0].instance, preference: preference, isSecure: false) == nil)
        pool.members[1].instance.comeBack(now: 0)
        #expect(self.choices(changed.withCurrentHealth(), preference) == ["1": 100])
    }

    @Test func `starts slowly with one that is back, and forgets its failures`() {
        let pool = self.pool(2) { $0.slowStart = .seconds(100) }
        let instance = pool.members[0].instance
        let policy = EjectionPolicy()
        for _ in 0..<policy.consecutiveFailures { _ = pool.failed(instance, now: 0, policy: policy) }
        instance.leaveOut()
        let later = 1000 * Self.second
        instance.comeBack(now: later)
        #expect(!instance.isEjected(now: 1))
        let back = pool.withCurrentHealth()
        let soon = self.choices(back, times: 1100, now: later)
        #expect((50...160).contains(soon["0"] ?? 0), "a tenth of the other's")
        let afterwards = self.choices(back, times: 1000, now: later + 100 * Self.second)
        #expect((400...600).contains(afterwards["0"] ?? 0))
    }

    @Test(arguments: [(0, 1, 3), (0, 3, 1), (50, 2, 2), (50, 3, 4), (51, 2, 4), (100, 1, 4), (100, 4, 4), (0, 4, 0)])
    func `is one of all when too few are`(percent: Int, unhealthy: Int, expected: Int) {
        let pool = self.pool(4) {
            $0.probe = ProbeSettings(TCPHealthProbe())
            $0.probe?.panicPercent = percent
        }
        for index in 0..<unhealthy { pool.members[index].instance.leaveOut() }
        #expect(self.choices(pool.withCurrentHealth(), times: 1000).count == expected)
    }
}
