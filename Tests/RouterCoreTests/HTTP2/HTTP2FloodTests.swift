import Testing

@testable import RouterCore

/// Peers that ask for much and give nothing.
@Suite struct `HTTP/2 floods` {
    struct Flood: Sendable, CustomTestStringConvertible {
        var name: String
        /// How often it is allowed at once, about.
        var allowed: ClosedRange<Int>
        var round: @Sendable (Int) -> [UInt8]
        var testDescription: String { self.name }
    }

    private static let request = Wire.request()

    static let floods = [
        Flood(name: "PING", allowed: 900...1100) { _ in Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) },
        Flood(name: "SETTINGS", allowed: 900...1100) { _ in Wire.settings() },
        Flood(name: "SETTINGS acknowledged", allowed: 900...1100) { _ in Wire.frame(4, 1) },
        Flood(name: "PRIORITY", allowed: 900...1100) { _ in Wire.priority(1, on: 0) },
        Flood(name: "WINDOW_UPDATE", allowed: 900...1100) { _ in Wire.windowUpdate(0, 1) },
        Flood(name: "unknown", allowed: 900...1100) { _ in Wire.frame(0x16, 0, 0, [1]) },
        Flood(name: "GOAWAY", allowed: 900...1100) { _ in Wire.frame(7, 0, 0, Wire.word(0) + Wire.word(0)) },
        Flood(name: "empty DATA", allowed: 900...1100) { round in
            round == 0 ? Wire.headers(1, Wire.request([], Wire.post), ends: false) : Wire.data(1, [])
        },
        Flood(name: "padding alone", allowed: 900...1100) { round in
            round == 0
                ? Wire.headers(1, Wire.request([], Wire.post), ends: false) : Wire.frame(0, 8, 1, [1, 0])
        },
        Flood(name: "RST_STREAM of a stream that is gone", allowed: 900...1100) { round in
            round == 0 ? Wire.headers(1, Self.request) + Wire.reset(1) : Wire.reset(1)
        },
        // CVE-2023-44487.
        Flood(name: "rapid reset", allowed: 350...450) { round in
            let stream = UInt32(round * 2 + 1)
            return Wire.headers(stream, Self.request) + Wire.reset(stream)
        },
        // CVE-2025-8671: the client makes the server reset what an instance already works on.
        Flood(name: "made to reset by WINDOW_UPDATE", allowed: 350...450) { round in
            let stream = UInt32(round * 2 + 1)
            return Wire.headers(stream, Self.request) + Wire.windowUpdate(stream, 0)
        },
        Flood(name: "made to reset by DATA", allowed: 350...450) { round in
            let stream = UInt32(round * 2 + 1)
            return Wire.headers(stream, Self.request) + Wire.data(stream, [1])
        },
        Flood(name: "made to reset by PRIORITY", allowed: 350...450) { round in
            let stream = UInt32(round * 2 + 1)
            return Wire.headers(stream, Self.request) + Wire.frame(2, 0, stream, [0])
        },
        Flood(name: "malformed requests", allowed: 350...450) { round in
            Wire.headers(UInt32(round * 2 + 1), Wire.request([("Upper", "x")]))
        },
        Flood(name: "more streams than allowed", allowed: 450...550) { round in
            Wire.headers(UInt32(round * 2 + 1), Self.request)
        },
    ]

    /// How many rounds go well.
    private func rounds(_ flood: Flood, _ harness: HTTP2Harness) -> Int {
        for round in 0..<5000 {
            harness.receive(flood.round(round))
            if harness.connectionError != nil { return round }
        }
        return 5000
    }

    @Test(arguments: Self.floods)
    func `end the connection`(flood: Flood) {
        let harness = HTTP2Harness()
        let rounds = self.rounds(flood, harness)
        #expect(flood.allowed.contains(rounds), "\(rounds)")
        #expect(harness.connectionError == .enhanceYourCalm)
        #expect(harness.openStreams == 0)
    }

    @Test func `but the same frames over a long time do not`() {
        let harness = HTTP2Harness()
        for _ in 0..<3000 {
            harness.now += 20_000_000
            harness.receive(Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))
        }
        for round in 0..<1000 {
            harness.now += 50_000_000
            let stream = UInt32(round * 2 + 1)
            harness.receive(Wire.headers(stream, Self.request) + Wire.reset(stream))
        }
        #expect(harness.connectionError == nil)
    }

    @Test func `nor do window updates that answer a body`() {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Self.request))
        harness.respond(1, ends: false)
        for _ in 0..<5000 {
            harness.send(1, 1000)
            harness.receive(
                Wire.windowUpdate(0, 1000) + Wire.windowUpdate(1, 1000)
                    + Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))
        }
        #expect(harness.connectionError == nil)
        #expect(harness.buffered(1) == 0)
    }

    @Test func `nor does a client that changes its mind after the answer`() {
        let harness = HTTP2Harness()
        for round in 0..<2000 {
            let stream = UInt32(round * 2 + 1)
            harness.receive(Wire.headers(stream, Wire.request([], Wire.post), ends: false))
            harness.respond(stream)
            harness.receive(Wire.reset(stream))
        }
        #expect(harness.connectionError == nil)
    }

    @Test func `an answer that is not read is not repeated for ever`() {
        let harness = HTTP2Harness(limits: { $0.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 0) })
        // The owner reads, but the socket takes nothing.
        for _ in 0..<10_000 {
            harness.receiveOnly(Wire.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))
            if harness.wantsClose { break }
        }
        harness.settle()
        #expect(harness.connectionError == .enhanceYourCalm)
        #expect(harness.sent.count < 3000)
    }

    @Test(arguments: [(0, 17), (1, 17), (16_384, 4)])
    func `a header block does not go on for ever`(size: Int, frames: Int) {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Self.request, complete: false))
        var count = 0
        while harness.connectionError == nil, count < 1000 {
            count += 1
            harness.receive(Wire.continuation(1, [UInt8](repeating: 0x82, count: size), complete: false))
        }
        #expect(count == frames)
        #expect(harness.connectionError == .enhanceYourCalm)
    }

    @Test func `a small block that unpacks to much is cheap to refuse`() {
        let harness = HTTP2Harness()
        // A field of 4,000 bytes in the table, then sixteen thousand times its index: 64 MB if it were unpacked.
        let entry = [0x40] + Wire.string("a") + Wire.string(String(repeating: "x", count: 4000))
        harness.receive(Wire.headers(1, Wire.request() + entry))
        harness.receive(Wire.headers(3, Wire.request() + [UInt8](repeating: 0xBE, count: 16_000)))
        #expect(harness.events.last == "refused 3 headersTooLarge")
    }

    @Test func `trailers have a limit of their own`() {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request([], Wire.post), ends: false))
        harness.receive(Wire.headers(1, Wire.block([("a", String(repeating: "x", count: 9000))])))
        #expect(harness.streamErrors == [1: .enhanceYourCalm])
        #expect(harness.events.last == "reset 1 ENHANCE_YOUR_CALM")
    }

    @Test func `a connection holds no more than its window`() {
        let harness = HTTP2Harness(limits: { $0.connectionWindow = 100_000 })
        harness.consumes = false
        var sent = 0
        for index in 0..<20 {
            let stream = UInt32(index * 2 + 1)
            harness.receive(Wire.headers(stream, Wire.request([], Wire.post), ends: false))
            harness.receive(Wire.data(stream, [UInt8](repeating: 0, count: 16_000)))
            if harness.connectionError != nil { break }
            sent += 16_000
        }
        #expect(sent == 96_000)
        #expect(harness.connectionError == .flowControlError)
    }

    @Test func `settings that change a thousand windows in one frame cost one change`() {
        let harness = HTTP2Harness()
        for index in 0..<100 { harness.receive(Wire.headers(UInt32(index * 2 + 1), Self.request)) }
        harness.receive(Wire.settings((0..<2000).map { (4, UInt32($0)) }))
        #expect(harness.events.last == "settings")
        #expect(harness.connectionError == nil)
    }

    @Test func `an allowance fills up with time, and not beyond its burst`() {
        var allowance = HTTP2Allowance(HTTP2Rate(burst: 3, perSecond: 2))
        func spend(_ seconds: [Double]) -> [Bool] { seconds.map { allowance.spend(now: UInt64($0 * 1e9)) } }
        #expect(spend([0, 0, 0, 0]) == [true, true, true, false])
        #expect(spend([0.4, 0.5, 0.6]) == [false, true, false])
        #expect(spend([100, 100, 100, 100]) == [true, true, true, false])
        allowance.credit(2)
        #expect(spend([100, 100, 100, 0]) == [true, true, false, false])
    }
}
