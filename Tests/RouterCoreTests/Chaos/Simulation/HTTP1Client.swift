import NIOCore

/// A client that speaks HTTP/1: sends requests over one connection, several at once or one after the other.
final class SimulatedHTTP1Client: SimulatedClient {
    private let cable: Cable
    private unowned let world: World
    private let pipelines: Bool
    private var left: Int
    private var outgoing = ByteBuffer()
    private var unsent: Story?
    /// Those that wait for their answer.
    private var expected: [Story] = []
    private var reader = HTTP1Reader()
    private var received = 0
    private var isFromInstance = false
    private var ownCode = ""
    private var status = 0
    private var announcedClose = false
    private(set) var isOver = false

    // What it does wrong.
    /// After so many actions.
    private var leavesAfter: Int?
    private var stallsAfter: Int?
    private var halfCloses: Bool
    private var hasHalfClosed = false
    private var actions = 0

    init(_ cable: Cable, _ world: World, asking count: Int) {
        self.cable = cable
        self.world = world
        self.left = count
        self.pipelines = world.chance(40)
        self.leavesAfter = world.strikes(.clientsLeave, percent: 60) ? world.pick(0..<60) : nil
        self.stallsAfter = world.strikes(.clientsStall, percent: 60) ? world.pick(0..<60) : nil
        self.halfCloses = world.strikes(.clientsHalfClose, percent: 60)
    }

    private var isStalled: Bool { self.stallsAfter.map { self.actions >= $0 } ?? false }
    private var canAsk: Bool {
        self.left > 0 && self.outgoing.readableBytes == 0 && !self.hasHalfClosed && !self.announcedClose
            && (self.pipelines || self.expected.isEmpty)
    }
    private var canSend: Bool { self.outgoing.readableBytes > 0 && self.cable.peerCanWrite }
    private var wantsHalfClose: Bool {
        self.halfCloses && !self.hasHalfClosed && self.left == 0 && self.outgoing.readableBytes == 0
    }
    private var isContent: Bool { self.left == 0 && self.expected.isEmpty && self.outgoing.readableBytes == 0 }

    var isRunnable: Bool {
        if self.isOver { return false }
        if let limit = self.leavesAfter, self.actions >= limit { return true }
        // Even who does nothing hears of the end.
        if self.isStalled { return self.cable.isReset || self.cable.routerHasClosed }
        return self.cable.peerCanRead || self.cable.peerSeesEnd || self.canAsk || self.canSend || self.wantsHalfClose
            || self.isContent
    }

    func run() {
        self.actions += 1
        if let limit = self.leavesAfter, self.actions > limit { return self.leave() }
        if self.isStalled { return self.end() }
        if self.cable.peerCanRead, self.world.chance(50) || !(self.canAsk || self.canSend) { return self.read() }
        if self.wantsHalfClose, !self.canSend {
            self.hasHalfClosed = true
            self.world.log("client \(self.cable.id) half-closes")
            self.cable.peerEnds()
        } else if self.canSend {
            self.cable.peerWrites(&self.outgoing, atMost: self.world.pieceSize(self.outgoing.readableBytes))
            if self.outgoing.readableBytes == 0 { self.unsent?.isSent = true }
        } else if self.canAsk {
            self.ask()
        } else if self.cable.peerCanRead {
            self.read()
        } else if self.cable.peerSeesEnd {
            self.end()
        } else if self.isContent {
            self.world.log("client \(self.cable.id) is content")
            self.isOver = true
            self.cable.peerCloses()
        }
    }

    // MARK: Asking

    private func ask() {
        self.left -= 1
        let method = self.world.pick(["GET", "GET", "PUT", "POST", "POST"])
        let length = method == "GET" ? 0 : self.world.pick(0..<self.world.weather.bodies)
        let isNamed = method == "POST" && self.world.chance(20)
        let story = self.world.newStory(method: method, bodyLength: length, isReplayable: method != "POST" || isNamed)
        story.isExcused = self.leavesAfter != nil || self.stallsAfter != nil
        self.expected.append(story)
        self.unsent = story
        var head = "\(method) /\(story.number) HTTP/1.1\r\nHost: a\r\nX-Number: \(story.number)\r\n"
        if isNamed { head += "Idempotency-Key: \(story.number)\r\n" }
        let isChunked = length > 0 && self.world.chance(40)
        if method != "GET" { head += isChunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: \(length)\r\n" }
        self.outgoing = ByteBuffer(string: head + "\r\n")
        if isChunked {
            HTTP1Writing.chunks(story.number, length, isResponse: false, self.world, into: &self.outgoing)
        } else {
            self.outgoing.writeImmutableBuffer(Story.body(story.number, 0..<length, isResponse: false))
        }
        self.world.log(
            "client \(self.cable.id) asks \(story.number): \(method), \(length) bytes\(isChunked ? " in chunks" : "")")
    }

    // MARK: Answers

    private func read() {
        self.reader.append(self.cable.toPeer.read(self.world.pieceSize(self.cable.toPeer.bytes.readableBytes)))
        while !self.isOver, let event = self.reader.next() {
            switch event {
            case .head(let head): self.readHead(head)
            case .body(let bytes):
                if self.isFromInstance, let story = self.expected.first,
                    !Story.matches(bytes, story.number, from: self.received, isResponse: true)
                {
                    self.fail("the answer to \(story.number) has somebody else's bytes at \(self.received)")
                }
                self.received += bytes.readableBytes
            case .end: self.readEnd()
            case .malformed(let what): self.fail("malformed: \(what)")
            }
        }
    }

    private func readHead(_ head: String) {
        guard let story = self.expected.first else { return self.fail("an answer to nothing: \(head)") }
        self.status = head.status
        if let number = head.number, number != story.number {
            return self.fail("\(story.number) got the answer to \(number)")
        }
        if self.status < 200 { return self.reader.expect(.none) }
        self.isFromInstance = head.number != nil
        self.ownCode = head.field("x-slipway-error") ?? ""
        self.received = 0
        if head.field("connection") == "close" { self.announcedClose = true }
        if !self.isFromInstance, self.ownCode.isEmpty {
            // An instance that answers twice may do so when the next request is on its way already.
            guard self.world.weather.faults.contains(.answersTwice) else {
                return self.fail("an answer of nobody: \(head)")
            }
            story.isExcused = true
        }
        if self.status == 204 || self.status == 304 {
            self.reader.expect(.none)
        } else if let length = head.field("content-length").flatMap({ Int($0) }) {
            self.reader.expect(.length(length))
        } else if head.field("transfer-encoding") == "chunked" {
            self.reader.expect(.chunked)
        } else {
            self.fail("no end: \(head)")
        }
    }

    private func readEnd() {
        guard self.status >= 200, let story = self.expected.first else { return }
        story.result = self.isFromInstance ? .answered : .own(status: self.status, code: self.ownCode)
        self.world.log("client \(self.cable.id) has the answer to \(story.number): \(self.status) \(self.ownCode)")
        self.expected.removeFirst()
        self.isFromInstance = false
        guard self.announcedClose else { return }
        // It sends no more, and asks the rest elsewhere.
        for story in self.expected { story.isExcused = true }
        self.expected = []
        self.outgoing = ByteBuffer()
        if self.left > 0 { self.world.newClient(asking: self.left) }
        self.left = 0
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

    /// The router has closed the connection.
    private func end() {
        self.world.log("client \(self.cable.id) sees the end")
        self.isOver = true
        // What was broken off may have been lost to a reset before it was read.
        if let story = self.expected.first, self.reader.isInside || story.wasCut {
            story.result = .cut
            self.expected.removeFirst()
            // Those behind it go with it.
            for story in self.expected { story.isExcused = true }
            if self.left > 0, !self.isStalled { self.world.newClient(asking: self.left) }
        }
        for story in self.expected { story.result = .unanswered }
        self.cable.peerCloses()
    }
}

enum HTTP1Writing {
    /// A body in chunks of any size.
    static func chunks(_ number: Int, _ length: Int, isResponse: Bool, _ world: World, into out: inout ByteBuffer) {
        var position = 0
        while position < length {
            let count = 1 + world.pick(0..<(length - position))
            out.writeString(String(count, radix: 16) + "\r\n")
            out.writeImmutableBuffer(Story.body(number, position..<(position + count), isResponse: isResponse))
            out.writeString("\r\n")
            position += count
        }
        out.writeString(world.chance(30) ? "0\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n")
    }
}
