import Foundation
import Testing

@testable import RouterACME

@Suite struct `The table of hosts` {
    private let start = Date(timeIntervalSince1970: 1_800_000_000)
    private let day: TimeInterval = 86_400

    private func table(_ hosts: Set<String>, hasAccount: Bool = true, limit: Int = 2) -> HostTable {
        var table = HostTable(settings: .init(maxConcurrentOrders: limit))
        table.hasAccount = hasAccount
        _ = table.want(hosts, now: self.start)
        return table
    }

    private func facts(days: Double = 90, id: String? = nil) -> CertificateFacts {
        CertificateFacts(
            notBefore: self.start, notAfter: self.start.addingTimeInterval(days * self.day), renewalID: id)
    }

    private func orders(_ hosts: String...) -> [HostTable.Job] { hosts.map { .order(host: $0, replacing: nil) } }

    @Test func `orders as many at once as it may, and the account's first alone`() {
        var table = self.table(["a.x", "b.x", "c.x"], hasAccount: false)
        #expect(table.begin(now: self.start).jobs == self.orders("a.x"))
        #expect(table.begin(now: self.start).jobs.isEmpty)
        table.hasAccount = true
        #expect(table.begin(now: self.start).jobs == self.orders("b.x"))
        table.has(self.facts(), for: "a.x", now: self.start, chance: 0)
        #expect(table.begin(now: self.start).jobs == self.orders("c.x"))
    }

    @Test func `lets those that have failed wait for those that have not`() throws {
        var table = self.table(["a.x", "b.x", "c.x"], limit: 3)
        _ = table.begin(now: self.start)
        for host in ["a.x", "a.x", "b.x"] {
            table.failed(host, ACMEError(.challengeFailed, "no"), now: self.start, chance: 0)
        }
        table.has(self.facts(days: 1), for: "c.x", now: self.start, chance: 0)
        let now = self.start.addingTimeInterval(self.day)
        _ = table.want(["a.x", "b.x", "c.x", "d.x"], now: now)
        let order = table.begin(now: now).jobs.map(\.host)
        #expect(order == ["d.x", "c.x", "b.x"], "without a certificate, to be renewed, failed once; twice has to wait")
    }

    @Test(arguments: [(0.0, 60.0), (0.5, 57.75), (1.0, 55.5)])
    func `renews when two thirds are over, a little earlier by chance`(chance: Double, days: Double) throws {
        var table = self.table(["a.x"])
        _ = table.begin(now: self.start)
        table.has(self.facts(), for: "a.x", now: self.start, chance: chance)
        let next = try #require(table.begin(now: self.start).next)
        #expect(abs(next.timeIntervalSince(self.start) - days * self.day) < 1)
        #expect(table.begin(now: next.addingTimeInterval(-1)).jobs.isEmpty)
        #expect(table.begin(now: next).jobs == self.orders("a.x"))
    }

    @Test func `tries again later and later`() throws {
        var table = self.table(["a.x"])
        var now = self.start
        var delays: [Double] = []
        for _ in 0..<9 {
            #expect(table.begin(now: now).jobs.count == 1)
            table.failed("a.x", ACMEError(.challengeFailed, "no"), now: now, chance: 0.5)
            let next = try #require(table.begin(now: now).next)
            delays.append(next.timeIntervalSince(now) / 60)
            now = next
        }
        #expect(delays.map { $0.rounded() } == [5, 10, 20, 40, 80, 160, 320, 360, 360])
        table.has(self.facts(), for: "a.x", now: now, chance: 0)
        #expect(table.hosts["a.x"]?.failures == 0 && table.hosts["a.x"]?.lastError == nil)
    }

    @Test(arguments: [(Duration.seconds(7_200), 7_200.0...8_000), (.seconds(1), 240.0...360)])
    func `waits as long as the authority says`(after: Duration, expected: ClosedRange<Double>) throws {
        var table = self.table(["a.x"])
        _ = table.begin(now: self.start)
        table.failed("a.x", ACMEError(.rateLimited, "no", retryAfter: after), now: self.start, chance: 0.5)
        let next = try #require(table.begin(now: self.start).next)
        #expect(expected.contains(next.timeIntervalSince(self.start)))
    }

    @Test func `prefers hosts without a certificate to renewals`() {
        var table = self.table(["old.x"], limit: 1)
        _ = table.begin(now: self.start)
        table.has(self.facts(), for: "old.x", now: self.start, chance: 0)
        let later = self.start.addingTimeInterval(70 * self.day)
        _ = table.want(["old.x", "new.x"], now: later)
        #expect(table.begin(now: later).jobs == self.orders("new.x"))
    }

    @Test func `drops what is no longer wanted, and keeps what clients asked for`() {
        var table = self.table(["a.x", "b.x"])
        table.demand("c.x", now: self.start)
        #expect(table.want(["b.x"], now: self.start) == ["a.x"])
        #expect(table.hosts.keys.sorted() == ["b.x", "c.x"])
        #expect(table.want(["c.x"], now: self.start) == ["b.x"])
        #expect(table.want([], now: self.start) == ["c.x"])
    }

    @Test func `asks when to renew, and renews in the time it is told`() throws {
        var table = self.table(["a.x"])
        _ = table.begin(now: self.start)
        table.has(self.facts(id: "id"), for: "a.x", now: self.start, chance: 0)
        let asking = try #require(table.begin(now: self.start).next)
        #expect(asking.timeIntervalSince(self.start) < 6 * 3_600)
        #expect(table.begin(now: asking).jobs == [.ask(host: "a.x", id: "id")])
        let window = (
            start: self.start.addingTimeInterval(10 * self.day), end: self.start.addingTimeInterval(12 * self.day)
        )
        table.told("a.x", window: (window.start, window.end, .seconds(3_600)), now: asking, chance: 0.5)
        #expect(table.hosts["a.x"]?.orderAt == self.start.addingTimeInterval(11 * self.day))
        #expect(table.hosts["a.x"]?.askAt == asking.addingTimeInterval(3_600))
        // Asked again, it keeps to the time it has chosen.
        table.told("a.x", window: (window.start, window.end, nil), now: asking, chance: 0)
        #expect(table.hosts["a.x"]?.orderAt == self.start.addingTimeInterval(11 * self.day))
        // A time that is over means now, as after a revocation; one that is too late is not waited for.
        table.told("a.x", window: (self.start, self.start, nil), now: asking, chance: 0)
        #expect(table.begin(now: asking).jobs == [.order(host: "a.x", replacing: "id")])
        table.has(self.facts(id: "id"), for: "a.x", now: self.start, chance: 0)
        let late = self.start.addingTimeInterval(89 * self.day)
        table.told("a.x", window: (late, late, nil), now: asking, chance: 0)
        #expect(table.hosts["a.x"]?.orderAt == self.start.addingTimeInterval(81 * self.day))
        // Nothing was told.
        table.told("a.x", window: nil, now: asking, chance: 0)
        #expect(table.hosts["a.x"]?.askAt == asking.addingTimeInterval(6 * 3_600))
    }

    @Test func `counts and remembers what goes on for a host that comes and goes`() throws {
        var table = self.table(["a.x", "b.x"], limit: 1)
        #expect(table.begin(now: self.start).jobs == self.orders("a.x"))
        for _ in 0..<3 {
            #expect(table.want(["b.x"], now: self.start) == ["a.x"])
            #expect(table.begin(now: self.start).jobs.isEmpty, "its order still goes on")
            #expect(table.want(["a.x", "b.x"], now: self.start).isEmpty)
            #expect(table.begin(now: self.start).jobs.isEmpty)
        }
        _ = table.want(["b.x"], now: self.start)
        table.failed("a.x", ACMEError(.challengeFailed, "no"), now: self.start, chance: 0)
        #expect(table.begin(now: self.start).jobs == self.orders("b.x"))
        table.has(self.facts(), for: "b.x", now: self.start, chance: 0)
        _ = table.want(["a.x", "b.x"], now: self.start)
        #expect(table.begin(now: self.start).jobs.isEmpty, "it failed a moment ago")
        #expect(table.hosts["a.x"]?.failures == 1)
        _ = table.want(["b.x"], now: self.start)
        _ = table.want(["a.x", "b.x"], now: self.start)
        #expect(table.hosts["a.x"]?.failures == 1)
        let next = try #require(table.hosts["a.x"]?.orderAt)
        #expect(table.begin(now: next).jobs == self.orders("a.x"))
    }

    @Test func `uses another authority's certificate until it has its own`() {
        var table = self.table(["a.x"])
        table.has(self.facts(), for: "a.x", isCurrent: false, now: self.start, chance: 0)
        #expect(table.begin(now: self.start).jobs == self.orders("a.x"))
    }
}

@Suite struct `The gate for hosts that clients ask for` {
    private let start = Date(timeIntervalSince1970: 1_800_000_000)

    @Test func `lets so many through in a minute`() throws {
        var gate = DemandGate(settings: .init(perMinute: 2))
        for host in ["a", "b", "a", "c", "d", "e"] { _ = gate.ask(host, now: self.start, chance: 0) }
        var (hosts, next) = gate.take(now: self.start)
        #expect(hosts == ["a", "b"])
        #expect(try #require(next).timeIntervalSince(self.start) == 30)
        (hosts, next) = gate.take(now: self.start.addingTimeInterval(30))
        #expect(hosts == ["c"] && next != nil)
        (hosts, next) = gate.take(now: self.start.addingTimeInterval(3_600))
        #expect(hosts == ["d", "e"] && next == nil)
    }

    @Test func `remembers whom it turned down`() {
        var gate = DemandGate(settings: .init(memory: .seconds(60), maxRemembered: 2))
        gate.turnDown("a", now: self.start)
        #expect(gate.ask("a", now: self.start.addingTimeInterval(59), chance: 0) == false)
        #expect(gate.ask("a", now: self.start.addingTimeInterval(61), chance: 0) == true)
        for host in ["b", "c", "d"] { gate.turnDown(host, now: self.start) }
        #expect(gate.ask("d", now: self.start, chance: 0) == false)
    }

    @Test func `forgets anything for what does not fit`() {
        var gate = DemandGate(settings: .init(perMinute: 10, maxWaiting: 3))
        let answers = ["a", "b", "c", "d"].map { gate.ask($0, now: self.start, chance: 0.4) }
        #expect(answers == [true, true, true, false])
        #expect(gate.take(now: self.start).hosts == ["a", "d", "c"])
        #expect(gate.ask("b", now: self.start, chance: 0) == true)
    }

    @Test func `gives a host its turn that is asked for among a thousand made-up ones`() {
        var gate = DemandGate(settings: .init(perMinute: 10, maxWaiting: 100))
        var random = SystemRandomNumberGenerator()
        var isThrough = false
        for minute in 0..<60 where !isThrough {
            let now = self.start.addingTimeInterval(Double(minute) * 60)
            for number in 0..<1000 {
                let chance = Double.random(in: 0..<1, using: &random)
                _ = gate.ask(number == 990 ? "real" : "\(minute)-\(number)", now: now, chance: chance)
            }
            isThrough = gate.take(now: now).hosts.contains("real")
        }
        #expect(isThrough)
    }
}

@Suite struct `Hosts to order for` {
    @Test(arguments: [
        ("Shop.Example.com", "shop.example.com"), ("a.b", "a.b"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ])
    func `are names`(host: String, expected: String) throws { #expect(try HostName.check(host) == expected) }

    @Test(arguments: [
        "", "localhost", "*.example.com", "a..b", ".a.b", "a.b.", "a_b.example", "-a.example", "192.168.0.1", "[::1]",
        "bücher.example", "a.example:80", String(repeating: "a", count: 64) + ".example",
        Array(repeating: "abcdefghi", count: 30).joined(separator: "."),
    ])
    func `are not anything else`(host: String) {
        let error = #expect(throws: ACMEError.self) { _ = try HostName.check(host) }
        #expect(error?.code == .invalidHost)
    }
}

extension HostTable {
    /// Makes these the hosts that are wanted, and returns those that were.
    fileprivate mutating func want(_ hosts: Set<String>, now: Date) -> [String] {
        let leaving = self.keep(only: hosts)
        for host in hosts { self.want(host, now: now) }
        return leaving
    }
}
