import NIOCore
import Testing

@testable import RouterCore

/// A source of chance whose every number is the same.
struct FixedRandom: RandomNumberGenerator {
    var number: UInt64 = .max / 2
    mutating func next() -> UInt64 { self.number }
}

@Suite struct `An instance's health` {
    private typealias Case = (starts: Bool, passes: String, healthy: String)

    /// Rise 2, fall 3: what the probes say, and what it is after each.
    private static let cases: [Case] = [
        (true, "++++", "++++"), (true, "---+", "++--"), (true, "--+--+--", "++++++++"), (true, "---++", "++--+"),
        (true, "---+-++", "++----+"), (false, "+", "-"), (false, "++", "-+"), (false, "+-+-+-", "------"),
        (false, "++---", "-+++-"),
    ]

    @Test(arguments: cases.indices) func `changes after several in a row`(index: Int) {
        let (starts, passes, healthy) = Self.cases[index]
        var machine = ProbeMachine(isHealthy: starts)
        var before = starts
        for (probe, expected) in zip(passes, healthy) {
            let isNews = machine.note(passed: probe == "+", rise: 2, fall: 3)
            #expect(machine.isHealthy == (expected == "+"))
            #expect(isNews == (machine.isHealthy != before))
            before = machine.isHealthy
        }
    }
}

@Suite struct `When instances are probed` {
    private func route(_ names: String..., change: (inout ProbeSettings) -> Void = { _ in }) -> ApplicationRoute {
        self.route(names, change: change)
    }

    private func route(_ names: [String], change: (inout ProbeSettings) -> Void = { _ in }) -> ApplicationRoute {
        let backends = names.map { Backend(id: BackendID($0), address: .unix(path: "/\($0)")) }
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: backends)
        var settings = ProbeSettings(TCPHealthProbe())
        settings.jitter = 0
        change(&settings)
        route.probe = settings
        return route
    }

    private func ids(_ questions: [ProbeSchedule.Question]) -> [String] { questions.map(\.backend.id.rawValue) }

    @Test func `is after the delay, and then in the interval from the last answer`() throws {
        var random = FixedRandom()
        var schedule = ProbeSchedule(ceiling: 10)
        _ = schedule.set(
            "app", self.route("x") { $0.initialDelay = .seconds(3) }, now: .seconds(1), random: &random)
        #expect(schedule.nextDue == .seconds(4))
        #expect(schedule.due(now: .milliseconds(3999)).isEmpty)
        let question = try #require(schedule.due(now: .seconds(4)).first)
        // One at a time for each.
        #expect(schedule.due(now: .seconds(100)).isEmpty)
        #expect(schedule.nextDue == nil)
        let verdict = schedule.answered(question, .failed("no"), now: .seconds(6), random: &random)
        #expect(verdict == ProbeSchedule.Verdict(isHealthy: true, isNews: false))
        #expect(schedule.nextDue == .seconds(11))
    }

    @Test(arguments: [(UInt64.min, 4.0, 0.0), (.max, 6.0, 1.0)]) func `is spread by chance`(
        number: UInt64, next: Double, first: Double
    ) throws {
        var random = FixedRandom(number: number)
        var schedule = ProbeSchedule(ceiling: 10)
        _ = schedule.set("app", self.route("x") { $0.jitter = 0.2 }, now: .zero, random: &random)
        let due = try #require(schedule.nextDue)
        #expect(abs((due - .seconds(first)) / .seconds(1)) < 0.001)
        let question = try #require(schedule.due(now: .seconds(10)).first)
        _ = schedule.answered(question, .passed, now: .zero, random: &random)
        let later = try #require(schedule.nextDue)
        #expect(abs((later - .seconds(next)) / .seconds(1)) < 0.001)
    }

    @Test func `is not for more than the ceiling at once`() throws {
        var random = FixedRandom()
        var schedule = ProbeSchedule(ceiling: 2)
        _ = schedule.set("app", self.route("x", "y", "z"), now: .zero, random: &random)
        let first = schedule.due(now: .zero)
        #expect(self.ids(first) == ["x", "y"])
        #expect(schedule.nextDue == nil, "the end of one is waited for")
        _ = schedule.answered(first[0], .passed, now: .seconds(1), random: &random)
        #expect(self.ids(schedule.due(now: .seconds(60))) == ["z"], "who has waited longest")
    }

    @Test func `is one application's turn after the other`() throws {
        var random = FixedRandom()
        var schedule = ProbeSchedule(ceiling: 4, ceilingPerApplication: 3)
        let many = (1...9).map { "a\($0)" }
        _ = schedule.set("a", self.route(many), now: .zero, random: &random)
        let first = schedule.due(now: .zero)
        #expect(self.ids(first) == ["a1", "a2", "a3"], "no more for one application")
        _ = schedule.set("b", self.route("b1", "b2"), now: .seconds(1), random: &random)
        _ = schedule.set("c", self.route("c1"), now: .seconds(1), random: &random)
        let second = schedule.due(now: .seconds(1))
        #expect(self.ids(second) == ["b1"])
        // Others' come next, though those of the first have waited longer.
        #expect(self.ids(self.answer(second[0], &schedule, &random)) == ["c1"])
        #expect(self.ids(self.answer(first[0], &schedule, &random)) == ["a4"])
        #expect(self.ids(self.answer(first[1], &schedule, &random)) == ["b2"])
        #expect(self.ids(self.answer(first[2], &schedule, &random)) == ["a5"])
        // Who leaves its route gives back the place of its probe when that ends, and nobody waits in its name.
        _ = schedule.set("a", nil, now: .seconds(2), random: &random)
        _ = schedule.set("a", self.route("a1"), now: .seconds(2), random: &random)
        #expect(self.ids(schedule.due(now: .seconds(2))) == [])
        #expect(schedule.due(now: .seconds(3)).isEmpty)
    }

    private func answer(
        _ question: ProbeSchedule.Question, _ schedule: inout ProbeSchedule, _ random: inout FixedRandom
    ) -> [ProbeSchedule.Question] {
        _ = schedule.answered(question, .passed, now: .seconds(1), random: &random)
        return schedule.next()
    }

    @Test(arguments: 0..<8) func `is in time for those whose instances answer, whoever's hang`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        var schedule = ProbeSchedule(ceiling: 6, ceilingPerApplication: 2)
        var asking: [ProbeSchedule.Question] = []
        var answered: [String: Int] = [:]
        for (application, count) in [("a", 40), ("b", 3), ("c", 1), ("d", 5)] {
            var route = self.route((0..<count).map { "\(application)\($0)" })
            route.application = application
            _ = schedule.set(application, route, now: .zero, random: &random)
        }
        for step in 0..<4000 {
            let now = Duration.milliseconds(step * 100)
            // The probes of one hang.
            let ends = asking.indices.filter { asking[$0].application != "a" || step % 50 == 0 }
            if let index = ends.randomElement(using: &random) {
                let question = asking.remove(at: index)
                answered[question.application, default: 0] += 1
                _ = schedule.answered(question, .passed, now: now, random: &random)
                asking += schedule.next()
            }
            asking += schedule.due(now: now)
            let counts = Dictionary(grouping: asking, by: \.application).mapValues(\.count)
            #expect(asking.count <= 6 && counts.values.allSatisfy { $0 <= 2 })
        }
        // 400 seconds, and an interval of 5.
        for (application, count) in [("b", 3), ("c", 1), ("d", 5)] {
            #expect(answered[application, default: 0] > count * 60, "\(answered)")
        }
        #expect(answered["a", default: 0] > 10)
    }

    @Test func `follows the route`() throws {
        var random = FixedRandom()
        var schedule = ProbeSchedule(ceiling: 10)
        _ = schedule.set("app", self.route("x", "y") { $0.fall = 1 }, now: .zero, random: &random)
        let questions = schedule.due(now: .zero)
        _ = schedule.answered(questions[0], .failed("no"), now: .zero, random: &random)
        #expect(schedule.unhealthy.map(\.backend.id.rawValue) == ["x"])
        // A change elsewhere in the route forgets nothing; a new instance is asked at once.
        _ = schedule.set("app", self.route("x", "z") { $0.fall = 1 }, now: .seconds(1), random: &random)
        #expect(schedule.unhealthy.map(\.backend.id.rawValue) == ["x"])
        #expect(self.ids(schedule.due(now: .seconds(1))) == ["z"])
        // The answer of one that has gone counts for nobody.
        #expect(schedule.answered(questions[1], .failed("no"), now: .seconds(1), random: &random) == nil)
        // Who is not probed any more is told.
        var without = self.route("x")
        without.probe = nil
        #expect(schedule.set("app", without, now: .seconds(2), random: &random).map(\.id.rawValue) == ["x"])
        #expect(schedule.due(now: .seconds(100)).isEmpty)
        #expect(schedule.nextDue == nil)
    }

    private static func probe(_ change: (inout HTTPHealthProbe) -> Void) -> HTTPHealthProbe {
        var probe = HTTPHealthProbe()
        change(&probe)
        return probe
    }

    private static let refused: [(word: String, change: @Sendable (inout ProbeSettings) -> Void)] = [
        ("interval", { $0.interval = .milliseconds(99) }), ("timeout", { $0.timeout = .zero }),
        ("delay", { $0.initialDelay = .seconds(-1) }), ("jitter", { $0.jitter = 1.1 }), ("rise", { $0.rise = 0 }),
        ("fall", { $0.fall = 1001 }), ("panic", { $0.panicPercent = 101 }),
        ("path", { $0.probe = HTTPHealthProbe(path: "x") }), ("path", { $0.probe = HTTPHealthProbe(path: "/a b") }),
        ("'A'", { $0.probe = Self.probe { $0.fields = ["A": "1\r\nB: 2"] } }),
        ("'Connection'", { $0.probe = Self.probe { $0.fields = ["Connection": "keep-alive"] } }),
        ("status", { $0.probe = Self.probe { $0.accepts = [] } }),
        ("limit", { $0.probe = Self.probe { $0.maxBytes = 1 } }),
    ]

    @Test(arguments: refused.indices) func `is refused with settings that cannot be`(index: Int) {
        let error = #expect(throws: RouterError.self) {
            try self.route("x", change: Self.refused[index].change).check()
        }
        #expect(error?.code == .invalidRoute)
        #expect(error?.message.contains(Self.refused[index].word) == true)
    }

    @Test func `is part of what makes routes equal`() {
        let route = self.route("x")
        #expect(route == self.route("x"))
        #expect(route != self.route("x") { $0.probe = HTTPHealthProbe() })
        #expect(
            self.route("x") { $0.probe = HTTPHealthProbe(path: "/a") }
                != self.route("x") { $0.probe = HTTPHealthProbe() })
    }
}

@Suite struct `An answer to a probe` {
    private static func probe(_ change: (inout HTTPHealthProbe) -> Void) -> HTTPHealthProbe {
        var probe = HTTPHealthProbe(path: "/health")
        change(&probe)
        return probe
    }

    private typealias Case = (probe: HTTPHealthProbe, answer: String, failure: String?)

    private static let head = "HTTP/1.1 200 OK\r\n"
    private static let prefixed = probe { $0.bodyPrefix = "ready" }
    private static let cases: [Case] = [
        (probe { _ in }, head + "\r\n", nil),
        (probe { _ in }, "HTTP/1.1 399 X\r\n\r\n", nil),
        (probe { _ in }, "HTTP/1.1 400 X\r\n\r\n", "answered 400"),
        (probe { $0.accepts = [204...204, 503...503] }, "HTTP/1.1 503 X\r\n\r\n", nil),
        (probe { $0.accepts = [204...204, 503...503] }, head + "\r\n", "answered 200"),
        (probe { _ in }, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head + "\r\n", nil),
        (probe { _ in }, "SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP/1.1"),
        (probe { _ in }, "", "before it had answered"),
        (probe { _ in }, head + "Content-Le", "before it had answered"),
        (prefixed, head + "Content-Length: 7\r\n\r\nready!!", nil),
        (prefixed, head + "\r\nready", nil),
        (prefixed, head + "Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n", nil),
        (prefixed, head + "Content-Length: 4\r\n\r\nread", "does not begin with 'ready'"),
        (prefixed, head + "\r\nread", "does not begin with 'ready'"),
        (prefixed, head + "Content-Length: 5\r\n\r\nready".replacing("dy", with: "dx"), "does not begin with 'ready'"),
        (prefixed, head + "Content-Length: 0\r\n\r\n", "does not begin with 'ready'"),
        (
            probe { $0.maxBytes = 1024 }, head + "X: " + String(repeating: "x", count: 2000), "more than 1024 bytes"
        ),
    ]

    @Test(arguments: cases.indices, [1, 7, 10_000])
    func `is the same however it arrives, and read no further than needed`(index: Int, piece: Int) {
        let (probe, answer, failure) = Self.cases[index]
        var reader = ProbeAnswer(probe)
        var report: HealthReport?
        var rest = Array(answer.utf8)[...]
        while report == nil, !rest.isEmpty {
            report = reader.receive(ByteBuffer(bytes: rest.prefix(piece)))
            rest = rest.dropFirst(piece)
        }
        let found = report ?? reader.ended()
        #expect(found.isPassed == (failure == nil))
        if let failure { #expect(found.reason?.contains(failure) == true, "\(found)") }
    }

    @Test func `belongs to a request that says what it is`() {
        let plain = HTTPHealthProbe(path: "/health?deep=1").request(to: .ip(host: "::1", port: 80))
        #expect(
            String(buffer: plain)
                == "GET /health?deep=1 HTTP/1.1\r\nHost: [::1]:80\r\nUser-Agent: slipway-probe\r\nConnection: close\r\n\r\n"
        )
        let probe = Self.probe {
            $0.host = "shop.example.com"
            $0.fields = ["X-Probe": "1", "User-Agent": "me"]
        }
        #expect(
            String(buffer: probe.request(to: .unix(path: "/a")))
                == "GET /health HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: me\r\nX-Probe: 1\r\nConnection: close\r\n\r\n"
        )
    }
}
