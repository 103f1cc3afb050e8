import Foundation
import Testing

@testable import RouterCore

@Suite struct `A client's pace` {
    private static let second: UInt64 = 1_000_000_000

    /// So many seconds, in each of which so many bytes move.
    struct Step: Sendable {
        var seconds: Int
        var bytes: Int
        var isAwaited = true
    }

    /// After how many seconds it is too slow; nil for never.
    private func end(_ steps: [Step], rate: Int, isPaced: Bool) -> Int? {
        let limit = PaceLimit(perSecond: rate, grace: 5 * Self.second, stall: 30 * Self.second)
        var pace = ClientPace()
        var (moved, now) = (0, 1000 * Self.second)
        _ = pace.isTooSlow(now: now, moved: 0, isPaced: isPaced, limit)
        var passed = 0
        for step in steps {
            for _ in 0..<step.seconds {
                passed += 1
                now += Self.second
                moved += step.bytes
                guard step.isAwaited else {
                    pace.rest()
                    continue
                }
                if pace.isTooSlow(now: now, moved: moved, isPaced: isPaced, limit) { return passed }
            }
        }
        return nil
    }

    @Test(
        arguments: [
            ("sends nothing", [Step(seconds: 60, bytes: 0)], 6),
            ("trickles", [Step(seconds: 60, bytes: 1)], 6),
            ("is just fast enough", [Step(seconds: 3600, bytes: 240)], nil),
            ("is just too slow", [Step(seconds: 3600, bytes: 230)], 120),
            ("pauses for what it has earned", [Step(seconds: 1, bytes: 4800), Step(seconds: 60, bytes: 0)], 26),
            (
                "has earned no more than the longest pause",
                [Step(seconds: 1, bytes: 1 << 40), Step(seconds: 60, bytes: 0)], 31
            ),
            ("trickles after a burst", [Step(seconds: 1, bytes: 1 << 30), Step(seconds: 60, bytes: 1)], 31),
            (
                "is not the one waited for",
                [
                    Step(seconds: 4, bytes: 0), Step(seconds: 600, bytes: 0, isAwaited: false),
                    Step(seconds: 1, bytes: 0),
                ],
                nil
            ),
        ] as [(String, [Step], Int?)]
    ) func `is a matter of the long run`(name: String, steps: [Step], end: Int?) {
        #expect(self.end(steps, rate: 240, isPaced: true) == end)
    }

    @Test func `without a rate is a matter of standing still alone`() {
        for (rate, isPaced) in [(0, true), (240, false)] {
            #expect(self.end([Step(seconds: 600, bytes: 1)], rate: rate, isPaced: isPaced) == nil)
            #expect(self.end([Step(seconds: 600, bytes: 0)], rate: rate, isPaced: isPaced) == 31)
            let late = [Step(seconds: 20, bytes: 1), Step(seconds: 60, bytes: 0)]
            #expect(self.end(late, rate: rate, isPaced: isPaced) == 51)
        }
    }
}

/// On a loop that is turned by hand: what takes minutes takes a moment.
@Suite struct `A slow client` {
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    private static let x = [UInt8](repeating: 0x78, count: 100_000)

    @Test(arguments: [(50, 5.0...7.5), (230, 100.0...140.0)]) func `gets 408 when its body comes too slowly`(
        perTick: Int, expected: ClosedRange<Double>
    ) throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.post)
        // The rate is per second, and a second has four ticks.
        let time = world.pass(300, until: { client.hasEndedOutput }) { passed in
            if passed == passed.rounded() { client.send(Array(Self.x.prefix(perTick))) }
        }
        #expect(expected.contains(time), "\(time)")
        #expect(client.text.hasPrefix("HTTP/1.1 408 "))
        #expect(client.text.contains("X-Slipway-Error: request-timeout\r\n"))
    }

    @Test func `may pause, and may be as slow as the limit`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.post)
        world.pass(300) { passed in if passed == passed.rounded() { client.send(Array(Self.x.prefix(250))) } }
        client.send(Self.x)
        world.pass(29)
        client.send(Self.x)
        world.pass(29)
        #expect(client.text == "")
        #expect(world.pass(5, until: { client.hasEndedOutput }) < 2)
    }

    @Test func `is not blamed for an instance that does not take its body`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.post)
        let upstream = try #require(world.loop.upstreams.first)
        upstream.take(0)
        client.send(Self.x)
        world.pass(50) { passed in if passed == 49 { upstream.take(20_000) } }
        #expect(!upstream.isWritable)
        #expect(client.text == "")
        world.pass(10)
        #expect(client.text.hasPrefix("HTTP/1.1 504 "))
    }

    @Test func `may set the limit off`() throws {
        let world = try HandWorker(configure: { $0.minimumBodyRate = 0 })
        let client = world.connect()
        client.send(Self.post)
        world.pass(300) { passed in if passed.truncatingRemainder(dividingBy: 20) == 0 { client.send("x") } }
        #expect(client.text == "")
    }

    @Test(arguments: [(1, 5.0...70.0), (250, 290.0...400.0)]) func `is reset when it takes its response too slowly`(
        perSecond: Int, expected: ClosedRange<Double>
    ) throws {
        let world = try HandWorker()
        let client = world.connect()
        client.take(100)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        let time = world.pass(300, until: { client.isClosed }) { passed in
            upstream.send(Self.x)
            if passed == passed.rounded() { client.take(perSecond) }
        }
        #expect(expected.contains(time), "\(time)")
        #expect(client.isClosed == (perSecond == 1))
        #expect(upstream.isClosed == client.isClosed, "the instance's place is free")
    }

    @Test func `of a long poll or an event stream is not the one that is slow`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let upstream = try #require(world.loop.upstreams.first)
        world.pass(29)
        upstream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in 0..<20 {
            world.pass(50)
            upstream.send("data: x\n\n")
        }
        #expect(!client.isClosed)
        #expect(client.text.components(separatedBy: "data: x").count == 21)
    }

    @Test func `that stops reading loses its event stream, also what only its kernel knows of`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        client.inKernel = 1000
        let time = world.pass(200, until: { client.isClosed }) { passed in
            if passed.truncatingRemainder(dividingBy: 10) == 0 {
                upstream.send("data: x\n\n")
                client.inKernel += 14
            }
        }
        #expect((60.0...62.0).contains(time), "\(time)")
    }
}
