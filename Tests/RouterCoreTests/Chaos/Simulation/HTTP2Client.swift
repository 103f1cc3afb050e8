import NIOCore

@testable import RouterCore

/// A client that speaks HTTP/2: several requests at once over one connection.
final class SimulatedHTTP2Client: SimulatedClient {
    private struct Stream {
        var story: Story
        var sent = 0
        var received = 0
        var unconsumed = 0
        var isFromInstance = false
        var code = ""
        var status = 0
    }

    private let cable: Cable
    private unowned let world: World
    private var end: HTTP2End
    private var left: Int
    private let depth: Int
    private var streams: [UInt32: Stream] = [:]
    private(set) var isOver = false

    private var leavesAfter: Int?
    private var stallsAfter: Int?
    private let resetsStreams: Bool
    private var actions = 0

    init(_ cable: Cable, _ world: World, asking count: Int) {
        self.cable = cable
        self.world = world
        self.left = count
        self.depth = world.pick([1, 3, 10])
        self.leavesAfter = world.strikes(.clientsLeave, percent: 30) ? world.pick(0..<60) : nil
        self.resetsStreams = world.strikes(.clientsLeave, percent: 60)
        self.stallsAfter = world.strikes(.clientsStall, percent: 60) ? world.pick(0..<60) : nil
        var limits = HTTP2Limits()
        limits.streamWindow = max(1, world.pick([world.weather.bodies / 100, 1000, 262_144]))
        limits.connectionWindow = 65_535
        limits.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 1)
        self.end = HTTP2End(cable, HTTP2Connection(role: .client(isSecure: false), limits: limits))
    }

    private var isStalled: Bool { self.stallsAfter.map { self.actions >= $0 } ?? false }
    private var canOpen: Bool {
        self.left > 0 && self.streams.count < self.depth && self.end.connection.availableStreams > 0
    }
    /// Streams in the order of their numbers: the order of a dictionary is not the seed's.
    private func streams(_ condition: (UInt32, Stream) -> Bool) -> [UInt32] {
        self.streams.filter { condition($0.key, $0.value) }.keys.sorted()
    }
    private func sending() -> [UInt32] {
        self.streams { id, stream in
            stream.sent < stream.story.bodyLength && self.end.connection.bufferedBytes(stream: id) == 0
        }
    }
    private func consuming() -> [UInt32] { self.end.isSettled ? self.streams { $1.unconsumed > 0 } : [] }

    var isRunnable: Bool {
        if self.isOver { return false }
        if let limit = self.leavesAfter, self.actions >= limit { return true }
        if self.isStalled { return self.cable.isReset || self.cable.routerHasClosed }
        return self.cable.peerCanRead || self.cable.peerSeesEnd || self.end.canWrite || self.canOpen
            || !self.sending().isEmpty || !self.consuming().isEmpty || (self.left == 0 && self.streams.isEmpty)
    }

    func run() {
        self.actions += 1
        if let limit = self.leavesAfter, self.actions > limit { return self.leave() }
        if self.isStalled { return self.lose() }
        var choices: [() -> Void] = []
        if self.cable.peerCanRead { choices.append { self.read() } }
        if self.end.canWrite { choices.append { self.end.write(self.world) } }
        if self.canOpen { choices.append { self.ask() } }
        let sending = self.sending()
        if !sending.isEmpty { choices.append { self.send(self.world.pick(sending)) } }
        let consuming = self.consuming()
        if !consuming.isEmpty { choices.append { self.consume(self.world.pick(consuming)) } }
        if self.resetsStreams, self.world.chance(3), let id = self.streams.keys.min() { choices = [{ self.reset(id) }] }
        if choices.isEmpty { return self.cable.peerSeesEnd ? self.lose() : self.leaveContent() }
        self.world.pick(choices)()
        self.handle()
    }

    // MARK: Asking

    private func ask() {
        self.left -= 1
        let method = self.world.pick(["GET", "GET", "PUT", "POST", "POST"])
        let length = method == "GET" ? 0 : self.world.pick(0..<self.world.weather.bodies)
        let story = self.world.newStory(method: method, bodyLength: length, isReplayable: method != "POST")
        story.isExcused = self.leavesAfter != nil || self.stallsAfter != nil
        var head = "\(method) /\(story.number) HTTP/1.1\r\nHost: a\r\nX-Number: \(story.number)\r\n"
        if length > 0, self.world.chance(50) { head += "Content-Length: \(length)\r\n" }
        guard let id = self.end.connection.openStream(head: ByteBuffer(string: head + "\r\n"), endsStream: length == 0)
        else {
            return self.world.complain("client \(self.cable.id) cannot open a stream")
        }
        story.isSent = length == 0
        self.streams[id] = Stream(story: story)
        self.world.log("client \(self.cable.id) asks \(story.number) on stream \(id): \(method), \(length) bytes")
    }

    private func send(_ id: UInt32) {
        guard var stream = self.streams[id] else { return }
        let count = self.world.pieceSize(stream.story.bodyLength - stream.sent)
        let bytes = Story.body(stream.story.number, stream.sent..<(stream.sent + count), isResponse: false)
        stream.sent += count
        self.streams[id] = stream
        let ends = stream.sent == stream.story.bodyLength
        self.end.connection.sendData(stream: id, bytes, endsStream: ends)
        if ends { stream.story.isSent = true }
    }

    private func consume(_ id: UInt32) {
        guard let count = self.streams[id]?.unconsumed else { return }
        self.streams[id]?.unconsumed = 0
        self.end.connection.consumed(stream: id, count: count)
    }

    private func reset(_ id: UInt32) {
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        self.world.log("client \(self.cable.id) resets stream \(id)")
        stream.story.isExcused = true
        self.end.connection.reset(stream: id, code: .cancel)
    }

    // MARK: Answers

    private func read() { self.end.read(self.world) }

    private func handle() {
        while !self.isOver, let event = self.end.nextEvent() {
            switch event {
            case .head(let id, let head): self.readHead(id, String(buffer: head.text), ends: head.endsStream)
            case .data(let id, let bytes, let ends): self.readData(id, bytes, ends: ends)
            case .trailers(let id, _), .endOfStream(let id): self.readEnd(id)
            case .reset(let id, let code, let byPeer):
                if !byPeer { self.fail("the router broke the rules: \(code) on stream \(id)") }
                guard let stream = self.streams.removeValue(forKey: id) else { break }
                self.world.log("client \(self.cable.id) lost stream \(id): \(code)")
                stream.story.result = .cut
            case .closed(let code, let reason): self.fail("the router broke the rules: \(code) \(reason)")
            case .goAway(_, let code):
                // With jumps of the clock, the client may be late with what the connection needs.
                let mayBeLate = self.world.weather.faults.contains(.clockJumps)
                if mayBeLate, code == .settingsTimeout || code == .enhanceYourCalm { return self.lose() }
                if code != .noError { self.fail("the router left: \(code)") }
            case .refusedHead, .drained, .settings, .settingsAcknowledged, .pingAnswered: break
            }
        }
    }

    private func readHead(_ id: UInt32, _ head: String, ends: Bool) {
        guard let story = self.streams[id]?.story else { return }
        if let number = head.number, number != story.number {
            return self.fail("\(story.number) got the answer to \(number)")
        }
        guard head.status >= 200 else { return }
        self.streams[id]?.status = head.status
        self.streams[id]?.isFromInstance = head.number != nil
        self.streams[id]?.code = head.field("x-slipway-error") ?? ""
        if head.number == nil, head.field("x-slipway-error") == nil {
            guard self.world.weather.faults.contains(.answersTwice) else {
                return self.fail("an answer of nobody: \(head)")
            }
            story.isExcused = true
        }
        if ends { self.readEnd(id) }
    }

    private func readData(_ id: UInt32, _ bytes: ByteBuffer, ends: Bool) {
        guard let stream = self.streams[id] else {
            return self.end.connection.consumed(stream: id, count: bytes.readableBytes)
        }
        if stream.isFromInstance,
            !Story.matches(bytes, stream.story.number, from: stream.received, isResponse: true)
        {
            self.fail("the answer to \(stream.story.number) has somebody else's bytes at \(stream.received)")
        }
        self.streams[id]?.received += bytes.readableBytes
        self.streams[id]?.unconsumed += bytes.readableBytes
        if ends { self.readEnd(id) }
    }

    private func readEnd(_ id: UInt32) {
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        stream.story.result = stream.isFromInstance ? .answered : .own(status: stream.status, code: stream.code)
        self.world.log(
            "client \(self.cable.id) has the answer to \(stream.story.number): \(stream.status) \(stream.code)")
        self.end.connection.consumed(stream: id, count: stream.unconsumed)
        // Nobody wants the rest of the request.
        if stream.sent < stream.story.bodyLength { self.end.connection.reset(stream: id, code: .cancel) }
    }

    // MARK: Ends

    private func fail(_ what: String) {
        self.world.complain("client \(self.cable.id): \(what)")
        self.isOver = true
        self.cable.peerResets()
    }

    private func leave() {
        self.world.log("client \(self.cable.id) leaves")
        self.isOver = true
        if self.world.chance(50) { self.cable.peerResets() } else { self.cable.peerCloses() }
    }

    private func leaveContent() {
        self.world.log("client \(self.cable.id) is content")
        self.isOver = true
        self.cable.peerCloses()
    }

    private func lose() {
        self.world.log("client \(self.cable.id) sees the end")
        self.isOver = true
        for id in self.streams.keys.sorted() { self.streams[id]?.story.result = .unanswered }
        self.cable.peerCloses()
    }
}
