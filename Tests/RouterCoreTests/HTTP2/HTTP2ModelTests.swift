import NIOCore
import Testing

@testable import RouterCore

/// A client and a server that talk to each other at random, beside a model that knows what they said.
@Suite struct `Two ends of HTTP/2` {
    @Test(arguments: 0..<24)
    func `agree about everything`(seed: Int) {
        let conversation = HTTP2Conversation(seed: UInt64(seed))
        conversation.run(steps: 300)
        conversation.finish()
        #expect(conversation.problems == [], "seed \(seed)")
        #expect(conversation.finished > 0)
        #expect(conversation.isAtRest, "\(conversation.rest)")
    }

    @Test(arguments: 0..<6)
    func `see the same, however the bytes are cut`(seed: Int) {
        let conversation = HTTP2Conversation(seed: UInt64(seed + 1000))
        conversation.run(steps: 100)
        conversation.finish()
        let bytes = conversation.clientBytes
        var random = LoopRandom(seed: UInt64(seed))
        var expected: HTTP2Harness?
        for largest in [bytes.count, 1, 7, 400, 20_000] {
            let harness = HTTP2Harness(
                handshake: false,
                limits: {
                    $0.concurrentStreams = 10_000
                    $0.connectionWindow = 1 << 24
                })
            var position = 0
            while position < bytes.count {
                let size = min(1 + Int(random.next() % UInt64(largest)), bytes.count - position)
                harness.receive(Array(bytes[position..<(position + size)]))
                position += size
            }
            if let expected {
                let isSame = harness.events == expected.events && harness.heads == expected.heads
                #expect(isSame, "seed \(seed), pieces of \(largest)")
            }
            expected = harness
        }
    }

    /// Bytes damaged on their way: nothing crashes, nothing hangs, an end by an error is an end.
    @Test(arguments: 0..<8)
    func `survive what is damaged on the way`(seed: Int) {
        let conversation = HTTP2Conversation(seed: UInt64(seed + 2000))
        conversation.run(steps: 60)
        conversation.finish()
        var random = LoopRandom(seed: UInt64(seed))
        for _ in 0..<20 {
            var bytes = conversation.clientBytes
            for _ in 0..<(1 + random.next() % 5) {
                let position = 24 + Int(random.next() % UInt64(bytes.count - 24))
                switch random.next() % 4 {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: position)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
                default: bytes[position] ^= 1 << UInt8(random.next() % 8)
                }
            }
            let harness = HTTP2Harness(handshake: false)
            for start in stride(from: 0, to: bytes.count, by: 5000) {
                harness.receive(Array(bytes[start..<min(bytes.count, start + 5000)]))
            }
            let closings = harness.events.filter { $0.hasPrefix("closed") }.count
            #expect(closings == (harness.connectionError == nil ? 0 : 1))
            for head in harness.heads {
                let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
                #expect(lines.suffix(2) == ["", ""])
                #expect(lines.dropLast(2).allSatisfy { !$0.isEmpty && !$0.contains("\n") && !$0.contains("\r") })
            }
        }
    }
}

/// What one side of one stream is going to say, and what the other has heard of it.
private struct Message {
    var head: String
    var size: Int
    var trailers: String?
    var sent = 0
    var heardHead = false
    var heard = 0
    var heardEnd = false
}

private struct Exchange {
    var request: Message
    var response: Message?
    /// Whether one side has reset it, so that less may be heard than was said.
    var isBroken = false
    var unconsumedByServer = 0
    var unconsumedByClient = 0
}

final class HTTP2Conversation {
    private var client: HTTP2Connection
    private var server: HTTP2Connection
    private var random: LoopRandom
    private var exchanges: [UInt32: Exchange] = [:]
    private var toServer: [UInt8] = []
    private var toClient: [UInt8] = []
    private(set) var clientBytes: [UInt8] = []
    private(set) var problems: [String] = []
    private(set) var finished = 0

    init(seed: UInt64) {
        self.random = LoopRandom(seed: seed &* 77 &+ 5)
        var limits = HTTP2Limits()
        limits.usesHuffman = seed % 2 == 0
        limits.headerTableBytes = [4096, 200, 0, 10_000][Int(seed % 4)]
        limits.concurrentStreams = 12
        limits.streamWindow = [150, 3000, 65_535, 200_000][Int(seed / 4 % 4)]
        limits.connectionWindow = [65_535, 100_000][Int(seed / 16 % 2)]
        // Small windows need many updates.
        limits.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 0)
        self.client = HTTP2Connection(role: .client(isSecure: false), limits: limits)
        limits.headerTableBytes = [4096, 4096, 300, 0][Int(seed / 2 % 4)]
        limits.streamWindow = [20_000, 500, 60][Int(seed % 3)]
        self.server = HTTP2Connection(role: .server, limits: limits)
    }

    private func chance(_ percent: UInt64) -> Bool { self.random.next() % 100 < percent }
    private func number(_ range: Range<Int>) -> Int {
        range.lowerBound + Int(self.random.next() % UInt64(range.count))
    }

    private func fields() -> String {
        var lines = ""
        for _ in 0..<self.number(0..<8) {
            switch self.number(0..<5) {
            case 0: lines += "x-often: same\r\n"
            case 1: lines += "content-type: text/html\r\n"
            case 2: lines += "x-\(self.number(0..<5)): \(self.number(0..<3))\r\n"
            case 3: lines += "x-long: \(String(repeating: "ab/%", count: self.number(0..<60)))\r\n"
            default: lines += "x-id: \(self.number(0..<1_000_000))\r\n"
            }
        }
        return lines
    }

    private func message(_ firstLine: String) -> Message {
        let sizes = [0, 0, 1, 200, 2000, 9000]
        let size = sizes[self.number(0..<sizes.count)]
        return Message(
            head: firstLine + self.fields() + "\r\n", size: size,
            trailers: self.chance(20) ? "grpc-status: \(self.number(0..<9))\r\n\r\n" : nil)
    }

    /// The byte at an offset of a stream's body.
    private static func byte(_ stream: UInt32, _ offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: Int(stream) &* 31 &+ offset &* 7)
    }

    // MARK: What happens

    func run(steps: Int) {
        for _ in 0..<steps {
            switch self.number(0..<12) {
            case 0, 1: self.open()
            case 2, 3, 4: self.speak()
            case 5, 6: self.deliver(toServer: true)
            case 7, 8: self.deliver(toServer: false)
            case 9, 10: self.consume(all: false)
            default:
                if self.chance(15) { self.reset() }
                if self.chance(5) { self.server.ping(7) }
            }
        }
    }

    /// Lets everything come to its end.
    func finish() {
        for _ in 0..<200_000 {
            self.speak(all: true)
            self.consume(all: true)
            let moved = self.deliver(toServer: true, all: true)
            let answered = self.deliver(toServer: false, all: true)
            if !moved, !answered, self.exchanges.isEmpty { break }
            if !self.problems.isEmpty { break }
        }
    }

    private func open() {
        var message = self.message("POST /\(self.number(0..<3)) HTTP/1.1\r\nHost: example.com\r\n")
        let endsStream = message.size == 0 && message.trailers == nil
        let available = self.client.availableStreams
        guard let stream = self.client.openStream(head: ByteBuffer(string: message.head), endsStream: endsStream)
        else {
            if available > 0 { self.problems.append("could not open a stream") }
            return
        }
        if endsStream { message.sent = -1 }
        self.exchanges[stream] = Exchange(request: message)
    }

    /// Sends a piece of what is to be sent.
    private func speak(all: Bool = false) {
        for stream in self.exchanges.keys.sorted() where all || self.chance(40) {
            guard var exchange = self.exchanges[stream], !exchange.isBroken else { continue }
            self.speak(stream, &exchange.request, byClient: true, all: all)
            if exchange.request.heardHead {
                if exchange.response == nil, all || self.chance(50) {
                    var message = self.message("HTTP/1.1 200 OK\r\n")
                    let ends = message.size == 0 && message.trailers == nil
                    if self.chance(20) {
                        self.server.sendInterim(
                            stream: stream, head: ByteBuffer(string: "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"))
                    }
                    self.server.sendHead(stream: stream, head: ByteBuffer(string: message.head), endsStream: ends)
                    if ends { message.sent = -1 }
                    exchange.response = message
                } else if var response = exchange.response {
                    self.speak(stream, &response, byClient: false, all: all)
                    exchange.response = response
                }
            }
            self.exchanges[stream] = exchange
        }
    }

    private func speak(_ stream: UInt32, _ message: inout Message, byClient: Bool, all: Bool) {
        guard message.sent >= 0 else { return }
        let left = message.size - message.sent
        let count = all ? left : min(left, self.number(0..<4000))
        let ends = count == left && message.trailers == nil
        var data = ByteBuffer()
        for offset in message.sent..<(message.sent + count) { data.writeInteger(Self.byte(stream, offset)) }
        if byClient {
            self.client.sendData(stream: stream, data, endsStream: ends)
        } else {
            self.server.sendData(stream: stream, data, endsStream: ends)
        }
        message.sent += count
        if count == left {
            if let trailers = message.trailers {
                if byClient {
                    self.client.sendTrailers(stream: stream, lines: ByteBuffer(string: trailers))
                } else {
                    self.server.sendTrailers(stream: stream, lines: ByteBuffer(string: trailers))
                }
            }
            message.sent = -1
        }
    }

    private func reset() {
        guard let stream = self.exchanges.keys.sorted().first, var exchange = self.exchanges[stream] else { return }
        exchange.isBroken = true
        self.exchanges[stream] = exchange
        if self.chance(50) {
            self.client.reset(stream: stream, code: .cancel)
        } else {
            self.server.reset(stream: stream, code: .internalError)
        }
    }

    private func consume(all: Bool) {
        for stream in self.exchanges.keys.sorted() where all || self.chance(30) {
            guard var exchange = self.exchanges[stream] else { continue }
            self.server.consumed(stream: stream, count: exchange.unconsumedByServer)
            self.client.consumed(stream: stream, count: exchange.unconsumedByClient)
            exchange.unconsumedByServer = 0
            exchange.unconsumedByClient = 0
            self.exchanges[stream] = exchange
            self.forgetIfOver(stream)
        }
    }

    @discardableResult
    private func deliver(toServer: Bool, all: Bool = false) -> Bool {
        var moved = false
        for _ in 0..<(all ? 1000 : 1) {
            if toServer {
                while let output = self.client.takeOutput() {
                    self.toServer += output.readableBytesView
                    self.clientBytes += output.readableBytesView
                }
                guard !self.toServer.isEmpty else { return moved }
                let count = all ? self.toServer.count : self.number(1..<20_000)
                self.server.receive(ByteBuffer(bytes: self.toServer.prefix(count)), now: 1)
                self.toServer.removeFirst(min(count, self.toServer.count))
                while let event = self.server.nextEvent() { self.hear(event, byServer: true) }
                while let event = self.client.nextEvent() { self.hear(event, byServer: false) }
            } else {
                while let output = self.server.takeOutput() { self.toClient += output.readableBytesView }
                guard !self.toClient.isEmpty else { return moved }
                let count = all ? self.toClient.count : self.number(1..<20_000)
                self.client.receive(ByteBuffer(bytes: self.toClient.prefix(count)), now: 1)
                self.toClient.removeFirst(min(count, self.toClient.count))
                while let event = self.client.nextEvent() { self.hear(event, byServer: false) }
                while let event = self.server.nextEvent() { self.hear(event, byServer: true) }
            }
            moved = true
        }
        return moved
    }

    // MARK: What is heard

    private func hear(_ event: HTTP2Event, byServer: Bool) {
        switch event {
        case .head(let stream, let head):
            if !byServer, head.status == 103 { return }
            let text = String(decoding: head.text.readableBytesView, as: UTF8.self)
            self.change(stream, byServer) { message in
                if message.heardHead { self.problems.append("a second head on \(stream)") }
                if text != message.head { self.problems.append("another head on \(stream): \(text)") }
                message.heardHead = true
                if head.endsStream { self.end(stream, &message) }
            }
        case .data(let stream, let data, let endsStream):
            self.change(stream, byServer) { message in
                let start = message.heard
                let isSame = data.withUnsafeReadableBytes { bytes in
                    for index in 0..<bytes.count where bytes[index] != Self.byte(stream, start + index) { return false }
                    return true
                }
                if !isSame { self.problems.append("other bytes on \(stream) after \(start)") }
                message.heard += data.readableBytes
                if endsStream {
                    if message.trailers != nil { self.problems.append("no trailers on \(stream)") }
                    self.end(stream, &message)
                }
            }
            if byServer {
                self.exchanges[stream]?.unconsumedByServer += data.readableBytes
            } else {
                self.exchanges[stream]?.unconsumedByClient += data.readableBytes
            }
        case .endOfStream(let stream): self.change(stream, byServer) { self.end(stream, &$0) }
        case .trailers(let stream, let lines):
            self.change(stream, byServer) { message in
                if String(decoding: lines.readableBytesView, as: UTF8.self) != message.trailers {
                    self.problems.append("other trailers on \(stream)")
                }
                self.end(stream, &message)
            }
        case .reset(let stream, let code, let byPeer):
            if !byPeer { self.problems.append("\(stream) was reset by itself: \(code)") }
            if self.exchanges[stream]?.isBroken == false { self.problems.append("\(stream) was reset: \(code)") }
        case .refusedHead, .goAway, .closed: self.problems.append("\(event)")
        case .drained, .settings, .settingsAcknowledged, .pingAnswered: break
        }
        switch event {
        case .head(let stream, _), .data(let stream, _, _), .trailers(let stream, _), .endOfStream(let stream),
            .reset(let stream, _, _):
            self.forgetIfOver(stream)
        default: break
        }
    }

    private func change(_ stream: UInt32, _ byServer: Bool, _ body: (inout Message) -> Void) {
        guard var exchange = self.exchanges[stream] else { return self.problems.append("an event of no stream") }
        if byServer {
            body(&exchange.request)
        } else if var response = exchange.response {
            body(&response)
            exchange.response = response
        } else {
            self.problems.append("a response nobody sent on \(stream)")
        }
        self.exchanges[stream] = exchange
    }

    private func end(_ stream: UInt32, _ message: inout Message) {
        if message.heardEnd { self.problems.append("a second end on \(stream)") }
        if message.heard != message.size { self.problems.append("\(stream) ended early") }
        message.heardEnd = true
    }

    private func forgetIfOver(_ stream: UInt32) {
        guard let exchange = self.exchanges[stream], exchange.unconsumedByServer + exchange.unconsumedByClient == 0
        else { return }
        if exchange.request.heardEnd, exchange.response?.heardEnd == true {
            self.finished += 1
            self.exchanges[stream] = nil
        }
        if exchange.isBroken, self.server.streams.find(stream) == nil, self.client.streams.find(stream) == nil {
            // Frames on their way must be ignored by those who reset it.
            self.exchanges[stream] = nil
        }
    }

    /// Whether all windows are as they were, and nothing is left anywhere.
    var isAtRest: Bool { self.rest == "" }

    var rest: String {
        var text = ""
        func check(_ what: String, _ value: Int, _ expected: Int) {
            if value != expected { text += "\(what) \(value) instead of \(expected); " }
        }
        check("exchanges", self.exchanges.count, 0)
        check("client's streams", self.client.openStreams + self.client.overStreams, 0)
        check("server's streams", self.server.openStreams + self.server.overStreams, 0)
        check(
            "client's window", self.client.receiveWindow + self.client.unreturned, self.client.limits.connectionWindow)
        check(
            "server's window", self.server.receiveWindow + self.server.unreturned, self.server.limits.connectionWindow)
        check("what the client may send", self.client.sendWindow, self.server.receiveWindow)
        check("what the server may send", self.server.sendWindow, self.client.receiveWindow)
        check("client's queue", self.client.sendQueue.count, 0)
        check("server's queue", self.server.sendQueue.count, 0)
        return text
    }
}
