import NIOCore

@testable import RouterCore

/// An instance's connection that speaks HTTP/2.
final class SimulatedHTTP2Instance: SimulatedInstance {
    private enum Plan { case answer, early, breakOff, cut, hang, hangInside }

    private struct Stream {
        var story: Story
        var attempt: Story.Attempt
        var plan: Plan
        var received = 0
        var unconsumed = 0
        var hasWholeRequest = false
        var hasHead = false
        var length = 0
        var sent = 0
        var endsWithTrailers = false
        var saidLength = false
        /// What the answer is when it is broken off now: with all of the promised bytes it is whole all the same.
        var cutOutcome: Story.Attempt.Outcome { self.saidLength && self.sent == self.length ? .answered : .cut }
    }

    let name: String
    private let cable: Cable
    private unowned let world: World
    private var end: HTTP2End
    private var streams: [UInt32: Stream] = [:]
    private(set) var isOver = false
    private var isClosing = false
    /// What is answered as far as the machine goes, which may have to wait for the router's windows.
    private var said: [UInt32: Story.Attempt] = [:]

    init(_ cable: Cable, _ world: World, name: String) {
        self.cable = cable
        self.world = world
        self.name = name
        var limits = HTTP2Limits()
        limits.concurrentStreams = world.weather.streams
        limits.streamWindow = max(1, world.pick([world.weather.bodies / 100, 1000, 262_144]))
        limits.connectionWindow = 65_535
        limits.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 1)
        limits.resets = HTTP2Rate(burst: 1_000_000, perSecond: 1)
        self.end = HTTP2End(cable, HTTP2Connection(role: .server, limits: limits))
    }

    private func streams(_ condition: (UInt32, Stream) -> Bool) -> [UInt32] {
        self.streams.filter { condition($0.key, $0.value) }.keys.sorted()
    }
    /// Those on which something can be said.
    private func sending() -> [UInt32] {
        self.streams { id, stream in
            let mayBegin = stream.hasWholeRequest || stream.plan == .early || stream.plan == .breakOff
            guard mayBegin, stream.plan != .hang else { return false }
            if stream.plan == .hangInside, stream.hasHead { return false }
            return self.end.connection.bufferedBytes(stream: id) == 0
        }
    }
    private func consuming() -> [UInt32] { self.end.isSettled ? self.streams { $1.unconsumed > 0 } : [] }
    private var mustLeave: Bool {
        self.cable.isReset || (self.cable.toPeer.isDry && !self.isOver)
            || ((self.isClosing || self.end.connection.wantsClose) && self.end.hasSaidAll)
    }

    var isRunnable: Bool {
        if self.isOver { return false }
        return self.cable.peerCanRead || self.end.canWrite || self.mustLeave || !self.sending().isEmpty
            || !self.consuming().isEmpty
    }

    func run() {
        if self.mustLeave { return self.leave() }
        var choices: [() -> Void] = []
        if self.cable.peerCanRead { choices.append { self.end.read(self.world) } }
        if self.end.canWrite { choices.append { self.end.write(self.world) } }
        let sending = self.sending()
        if !sending.isEmpty { choices.append { self.say(self.world.pick(sending)) } }
        let consuming = self.consuming()
        if !consuming.isEmpty { choices.append { self.consume(self.world.pick(consuming)) } }
        self.world.pick(choices)()
        self.handle()
    }

    func stop() {
        guard !self.isOver else { return }
        self.leave()
    }

    private func leave() {
        self.isOver = true
        self.world.log("cable \(self.cable.id): \(self.name) closes")
        let isLost = self.cable.isReset || self.cable.toPeer.isDry
        if !isLost { self.world.crossed() }
        for id in self.streams.keys.sorted() {
            guard let stream = self.streams[id], stream.attempt.outcome == .underWay else { continue }
            stream.attempt.outcome = isLost ? .abandoned : stream.hasHead ? stream.cutOutcome : .broke
        }
        for (id, attempt) in self.said where self.end.connection.bufferedBytes(stream: id) > 0 {
            attempt.outcome = .cut
        }
        self.streams = [:]
        self.cable.peerCloses()
    }

    // MARK: Requests

    private func handle() {
        while !self.isOver, let event = self.end.nextEvent() {
            switch event {
            case .head(let id, let head): self.readHead(id, String(buffer: head.text), ends: head.endsStream)
            case .data(let id, let bytes, let ends): self.readData(id, bytes, ends: ends)
            case .trailers(let id, _), .endOfStream(let id): self.readEnd(id)
            case .reset(let id, let code, let byPeer):
                if !byPeer { self.complain("the router broke the rules: \(code) on stream \(id)") }
                guard let stream = self.streams.removeValue(forKey: id) else { break }
                self.world.log("cable \(self.cable.id): \(self.name) loses stream \(id): \(code)")
                if stream.attempt.outcome == .underWay { stream.attempt.outcome = .abandoned }
            case .closed(let code, let reason): self.complain("the router broke the rules: \(code) \(reason)")
            case .refusedHead(let id, _): self.complain("a head of stream \(id) that is too large")
            case .goAway, .drained, .settings, .settingsAcknowledged, .pingAnswered: break
            }
        }
    }

    private func complain(_ what: String) {
        self.world.complain("cable \(self.cable.id): \(self.name) got \(what)")
        self.isClosing = true
    }

    private func readHead(_ id: UInt32, _ head: String, ends: Bool) {
        guard let number = head.number, let story = self.world.story(number), head.hasPrefix(story.method + " ") else {
            return self.complain("no request: \(head)")
        }
        let attempt = Story.Attempt(instance: self.name, cable: self.cable.id)
        story.attempts.append(attempt)
        if self.world.strikes(.refusesStreams) {
            self.world.log("cable \(self.cable.id): \(self.name) refuses \(number)")
            attempt.outcome = .refused
            return self.end.connection.reset(stream: id, code: .refusedStream)
        }
        let stream = Stream(
            story: story, attempt: attempt, plan: self.makePlan(),
            length: self.world.pick(0..<self.world.weather.bodies),
            endsWithTrailers: self.world.chance(20))
        self.world.log("cable \(self.cable.id): \(self.name) gets \(number) on stream \(id), plan \(stream.plan)")
        self.streams[id] = stream
        if stream.plan == .hang { attempt.outcome = .hung }
        if ends { self.readEnd(id) }
    }

    private func makePlan() -> Plan {
        if self.world.strikes(.breaks) { return .breakOff }
        if self.world.strikes(.cuts) { return .cut }
        if self.world.strikes(.hangs) { return self.world.chance(50) ? .hang : .hangInside }
        if self.world.strikes(.isEarly) || self.world.strikes(.isEarlyAndCloses) { return .early }
        return .answer
    }

    private func readData(_ id: UInt32, _ bytes: ByteBuffer, ends: Bool) {
        guard let stream = self.streams[id] else {
            return self.end.connection.consumed(stream: id, count: bytes.readableBytes)
        }
        if !Story.matches(bytes, stream.story.number, from: stream.received, isResponse: false) {
            self.complain("request \(stream.story.number) has somebody else's bytes at \(stream.received)")
        }
        self.streams[id]?.received += bytes.readableBytes
        self.streams[id]?.unconsumed += bytes.readableBytes
        if ends { self.readEnd(id) }
    }

    private func readEnd(_ id: UInt32) {
        guard let stream = self.streams[id] else { return }
        if stream.received != stream.story.bodyLength {
            self.complain("request \(stream.story.number) has \(stream.received) bytes, not \(stream.story.bodyLength)")
        }
        self.streams[id]?.hasWholeRequest = true
    }

    private func consume(_ id: UInt32) {
        guard let count = self.streams[id]?.unconsumed else { return }
        self.streams[id]?.unconsumed = 0
        self.end.connection.consumed(stream: id, count: count)
    }

    // MARK: Answers

    private func say(_ id: UInt32) {
        guard let stream = self.streams[id] else { return }
        if stream.plan == .breakOff {
            stream.attempt.outcome = .broke
            return self.breakOff(id)
        }
        guard stream.hasHead else { return self.sayHead(id, stream) }
        if stream.plan == .cut, self.world.chance(50) {
            stream.attempt.outcome = stream.cutOutcome
            return self.breakOff(id)
        }
        let count = self.world.pieceSize(stream.length - stream.sent)
        let bytes = Story.body(stream.story.number, stream.sent..<(stream.sent + count), isResponse: true)
        self.streams[id]?.sent += count
        let isLast = stream.sent + count == stream.length
        if isLast, stream.plan == .cut {
            stream.attempt.outcome = stream.cutOutcome
            return self.breakOff(id)
        }
        self.end.connection.sendData(stream: id, bytes, endsStream: isLast && !stream.endsWithTrailers)
        guard isLast else { return }
        if stream.endsWithTrailers {
            self.end.connection.sendTrailers(stream: id, lines: ByteBuffer(string: "X-Trailer: 1\r\n\r\n"))
        }
        self.answered(id)
    }

    private func sayHead(_ id: UInt32, _ stream: Stream) {
        if self.world.chance(10) {
            self.end.connection.sendInterim(
                stream: id,
                head: ByteBuffer(string: "HTTP/1.1 103 Early Hints\r\nX-Number: \(stream.story.number)\r\n\r\n"))
        }
        var head = "HTTP/1.1 200 OK\r\nX-Number: \(stream.story.number)\r\n"
        if self.world.chance(50) {
            head += "Content-Length: \(stream.length)\r\n"
            self.streams[id]?.saidLength = true
        }
        let ends = stream.length == 0 && stream.plan == .answer
        self.end.connection.sendHead(stream: id, head: ByteBuffer(string: head + "\r\n"), endsStream: ends)
        self.streams[id]?.hasHead = true
        if stream.plan == .hangInside {
            // An empty answer of a known length is whole without its last frame.
            let isWhole = stream.length == 0 && self.streams[id]?.saidLength == true
            stream.attempt.outcome = isWhole ? .answered : .hung
        }
        if ends { self.answered(id) }
    }

    private func answered(_ id: UInt32) {
        guard let stream = self.streams[id] else { return }
        stream.attempt.outcome = .answered
        self.said[id] = stream.attempt
        if stream.hasWholeRequest || stream.plan == .early { self.streams[id]?.plan = .hang }
        if stream.hasWholeRequest { self.streams[id] = nil }
        guard self.world.strikes(.closesIdle) else { return }
        self.world.log("cable \(self.cable.id): \(self.name) says farewell")
        self.end.connection.goAway(gracefully: self.world.chance(50))
    }

    private func breakOff(_ id: UInt32) {
        self.streams[id] = nil
        let code = self.world.pick([
            HTTP2ErrorCode.noError, .internalError, .cancel, .enhanceYourCalm, .protocolError, .http11Required,
        ])
        self.world.log("cable \(self.cable.id): \(self.name) resets stream \(id): \(code)")
        self.end.connection.reset(stream: id, code: code)
        if self.world.chance(20) { self.isClosing = true }
    }
}
