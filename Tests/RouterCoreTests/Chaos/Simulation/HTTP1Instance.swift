import NIOCore

/// An instance's connection that speaks HTTP/1.
final class SimulatedHTTP1Instance: SimulatedInstance {
    private enum Plan {
        case answer
        /// Answer at once; whether the connection is then closed.
        case early(closes: Bool)
        case breakOff
        /// After so many bytes of the answer.
        case cut
        case babble
        case hang(after: Int)
        case answerTwice
    }

    let name: String
    private let cable: Cable
    private unowned let world: World
    private var reader = HTTP1Reader()
    private var story: Story?
    private var attempt: Story.Attempt?
    private var received = 0
    private var plan = Plan.answer
    private var hasWholeRequest = false
    private var outgoing = ByteBuffer()
    private var hasAnswer = false
    private var isAnswered = false
    private var closesAfter = false
    private var resetsAfter = false
    private var isHanging = false
    private(set) var isOver = false
    private var closesWhenIdle = false

    init(_ cable: Cable, _ world: World, name: String) {
        self.cable = cable
        self.world = world
        self.name = name
    }

    private var canWrite: Bool { self.outgoing.readableBytes > 0 && (self.cable.peerCanWrite || self.cable.isReset) }
    private var canFinish: Bool { self.hasAnswer && !self.isAnswered && self.outgoing.readableBytes == 0 }
    private var wantsRead: Bool { self.cable.peerCanRead && (self.story == nil || !self.hasWholeRequest) }

    var isRunnable: Bool {
        if self.isOver { return false }
        return self.wantsRead || self.canWrite || (self.canFinish && !self.isHanging) || self.cable.isReset
            || (self.cable.toPeer.isDry && !self.cable.peerHasClosed) || (self.closesWhenIdle && self.story == nil)
    }

    func run() {
        if self.cable.isReset { return self.leave() }
        if self.wantsRead, self.world.chance(50) || !(self.canWrite || self.canFinish) { return self.read() }
        if self.canWrite {
            self.cable.peerWrites(&self.outgoing, atMost: self.world.pieceSize(self.outgoing.readableBytes))
            if self.canFinish, !self.isHanging { self.finishAnswer() }
        } else if self.canFinish, !self.isHanging {
            self.finishAnswer()
        } else if self.wantsRead {
            self.read()
        } else if self.closesWhenIdle, self.story == nil {
            self.world.log("cable \(self.cable.id): \(self.name) closes while idle")
            self.leave()
        } else if self.cable.toPeer.isDry {
            self.leave()
        }
    }

    func stop() {
        guard !self.isOver else { return }
        if self.story != nil, !self.isHanging, !self.cable.isReset, !self.cable.toPeer.isDry {
            self.world.log("\(self.name) is stopped with request \(self.story?.number ?? 0)")
        }
        self.leave()
    }

    private func leave() {
        self.isOver = true
        // What the router may have sent meanwhile is lost with it.
        if self.story == nil, self.cable.toPeer.bytes.readableBytes > 0 || self.reader.unread > 0 || self.closesWhenIdle
        {
            self.world.crossed()
        }
        if self.attempt?.outcome == .underWay {
            self.attempt?.outcome = self.cable.isReset || self.cable.toPeer.isDry ? .abandoned : .broke
        }
        self.cable.peerCloses()
    }

    // MARK: Requests

    private func read() {
        self.reader.append(self.cable.toPeer.read(self.world.pieceSize(self.cable.toPeer.bytes.readableBytes)))
        self.readOn()
    }

    private func readOn() {
        while !self.isOver, self.story == nil || !self.hasWholeRequest, let event = self.reader.next() {
            switch event {
            case .head(let head): self.readHead(head)
            case .body(let bytes):
                guard let story = self.story else { return self.complain("a body of nothing") }
                if !Story.matches(bytes, story.number, from: self.received, isResponse: false) {
                    self.complain("request \(story.number) has somebody else's bytes at \(self.received)")
                }
                self.received += bytes.readableBytes
            case .end:
                guard let story = self.story else { return self.complain("an end of nothing") }
                if self.received != story.bodyLength {
                    self.complain("request \(story.number) has \(self.received) bytes, not \(story.bodyLength)")
                }
                self.hasWholeRequest = true
                self.wholeRequest()
            case .malformed(let what): self.complain("malformed: \(what)")
            }
        }
    }

    private func complain(_ what: String) {
        self.world.complain("cable \(self.cable.id): \(self.name) got \(what)")
        self.leave()
    }

    private func readHead(_ head: String) {
        guard let number = head.number, let story = self.world.story(number), head.hasPrefix(story.method + " ") else {
            return self.complain("no request: \(head)")
        }
        self.story = story
        self.received = 0
        self.hasWholeRequest = false
        self.hasAnswer = false
        self.isAnswered = false
        let attempt = Story.Attempt(instance: self.name, cable: self.cable.id)
        self.attempt = attempt
        story.attempts.append(attempt)
        self.plan = self.makePlan()
        self.world.log("cable \(self.cable.id): \(self.name) gets \(number), plan \(self.plan)")
        if let length = head.field("content-length").flatMap({ Int($0) }) {
            self.reader.expect(.length(length))
        } else {
            self.reader.expect(head.field("transfer-encoding") == "chunked" ? .chunked : .none)
        }
        switch self.plan {
        case .early: self.answer()
        case .breakOff where self.world.chance(50):
            self.attempt?.outcome = .broke
            self.leaveBroken()
        case .answer where self.world.chance(10):
            self.outgoing.writeString("HTTP/1.1 103 Early Hints\r\nX-Number: \(number)\r\nLink: </x>\r\n\r\n")
        default: break
        }
    }

    private func makePlan() -> Plan {
        if self.world.strikes(.breaks) { return .breakOff }
        if self.world.strikes(.cuts) { return .cut }
        if self.world.strikes(.babbles) { return .babble }
        if self.world.strikes(.hangs) { return .hang(after: self.world.chance(50) ? 0 : self.world.pick(0..<100)) }
        if self.world.strikes(.answersTwice) { return .answerTwice }
        if self.world.strikes(.isEarlyAndCloses) { return .early(closes: true) }
        if self.world.strikes(.isEarly) { return .early(closes: false) }
        return .answer
    }

    private func wholeRequest() {
        switch self.plan {
        case .early: if self.isAnswered { self.beginAnew() }
        case .breakOff:
            self.attempt?.outcome = .broke
            self.leaveBroken()
        default: self.answer()
        }
    }

    private func leaveBroken() {
        self.isOver = true
        if self.world.chance(50) { self.cable.peerResets() } else { self.cable.peerCloses() }
    }

    // MARK: Answers

    /// Whether the end of the connection is the end of the answer and of nothing else.
    private var mayEndByClosing: Bool {
        switch self.plan {
        case .answerTwice, .cut: false
        default: true
        }
    }

    private func answer() {
        guard let story = self.story else { return }
        self.hasAnswer = true
        let start = self.outgoing.readableBytes
        self.writeAnswer(story.number)
        switch self.plan {
        case .answer: break
        case .early(let closes):
            if closes {
                self.closesAfter = true
                self.world.crossed()
            }
        case .breakOff: break
        case .cut:
            let whole = self.outgoing.readableBytes - start
            self.outgoing.moveWriterIndex(to: self.outgoing.readerIndex + start + 1 + self.world.pick(0..<(whole - 1)))
            self.attempt?.outcome = .cut
            self.resetsAfter = self.world.chance(50)
            self.closesAfter = true
        case .babble:
            self.outgoing = ByteBuffer(string: "220 ready\r\nHTTP/1.1 200 OK\r\n\r\n")
            self.attempt?.outcome = .invalid
        case .hang(let count):
            self.isHanging = true
            self.attempt?.outcome = .hung
            let kept = min(count, self.outgoing.readableBytes - start - 1)
            self.outgoing.moveWriterIndex(to: self.outgoing.readerIndex + start + kept)
        case .answerTwice:
            self.outgoing.writeString("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
            self.closesAfter = true
            self.attempt?.outcome = .answered
            self.world.crossed()
        }
    }

    private func writeAnswer(_ number: Int) {
        let length = self.world.pick(0..<self.world.weather.bodies)
        let head = "HTTP/1.1 200 OK\r\nX-Number: \(number)\r\n"
        switch self.world.pick(0..<10) {
        case 0...3:
            let close = self.world.chance(10)
            self.closesAfter = close
            self.outgoing.writeString(head + "Content-Length: \(length)\r\n\(close ? "Connection: close\r\n" : "")\r\n")
            self.outgoing.writeImmutableBuffer(Story.body(number, 0..<length, isResponse: true))
        case 4...7:
            self.outgoing.writeString(head + "Transfer-Encoding: chunked\r\n\r\n")
            HTTP1Writing.chunks(number, length, isResponse: true, self.world, into: &self.outgoing)
        case 8 where self.hasWholeRequest && self.mayEndByClosing:
            self.closesAfter = true
            self.outgoing.writeString(head + "\r\n")
            self.outgoing.writeImmutableBuffer(Story.body(number, 0..<length, isResponse: true))
        default:
            self.outgoing.writeString("HTTP/1.1 204 No Content\r\nX-Number: \(number)\r\n\r\n")
        }
    }

    /// The whole answer, or what there is of it, is on its way.
    private func finishAnswer() {
        if self.attempt?.outcome == .underWay { self.attempt?.outcome = .answered }
        if self.resetsAfter {
            self.isOver = true
            return self.cable.peerResets()
        }
        if self.closesAfter {
            self.isOver = true
            return self.cable.peerCloses()
        }
        self.isAnswered = true
        // An early answer does not excuse it from reading the rest.
        if self.hasWholeRequest { self.beginAnew() }
    }

    private func beginAnew() {
        self.story = nil
        self.attempt = nil
        self.hasAnswer = false
        self.closesWhenIdle = self.world.strikes(.closesIdle)
        self.readOn()
    }
}
