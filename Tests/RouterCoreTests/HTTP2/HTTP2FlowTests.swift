import NIOCore
import Testing

@testable import RouterCore

/// Windows, turns, and how a connection ends.
@Suite struct `HTTP/2 flow` {
    /// A server with open requests that waits for answers; `windows` are the client's.
    private func server(
        _ streams: Int, window: UInt32 = 65_535, ends: Bool = true, limits: (inout HTTP2Limits) -> Void = { _ in }
    ) -> HTTP2Harness {
        let harness = HTTP2Harness(settings: [(4, window)], limits: limits)
        for index in 0..<streams {
            let stream = UInt32(index * 2 + 1)
            harness.receive(Wire.headers(stream, Wire.request(), ends: ends))
            harness.respond(stream, ends: false)
        }
        harness.sent = []
        harness.events = []
        return harness
    }

    // MARK: Sending

    @Test func `a body waits for the stream's window, and says when it has gone`() {
        let harness = self.server(1, window: 10)
        harness.send(1, 25, ends: true)
        #expect(harness.frames == ["DATA 1 10"])
        #expect(harness.buffered(1) == 15)
        harness.receive(Wire.windowUpdate(1, 5))
        #expect(harness.frames == ["DATA 1 10", "DATA 1 5"])
        harness.receive(Wire.windowUpdate(1, 100))
        #expect(harness.frames == ["DATA 1 10", "DATA 1 5", "DATA 1 10 end"])
        #expect(harness.events == ["drained 1"])
        #expect(harness.openStreams == 0)
    }

    @Test func `a body waits for the connection's window`() {
        let harness = self.server(2, window: 1 << 20)
        harness.send(1, 65_000)
        harness.send(3, 1000, ends: true)
        #expect(harness.sent.reduce(0) { $0 + $1.payload.count } == 65_535)
        #expect(harness.buffered(3) == 465)
        harness.receive(Wire.windowUpdate(0, 465))
        #expect(harness.frames.last == "DATA 3 465 end")
        #expect(harness.events == ["drained 1", "drained 3"])
    }

    @Test func `a window made smaller becomes negative and has to be filled first`() {
        let harness = self.server(1, window: 3)
        harness.send(1, 5)
        harness.receive(Wire.settings([(4, 2)]))
        harness.sent = []
        harness.receive(Wire.windowUpdate(1, 1))
        #expect(harness.frames.isEmpty)
        harness.receive(Wire.windowUpdate(1, 1))
        #expect(harness.frames == ["DATA 1 1"])
        harness.receive(Wire.settings([(4, 3)]))
        #expect(harness.frames == ["DATA 1 1", "SETTINGS 0 0 end", "DATA 1 1"])
    }

    @Test func `bodies take turns`() {
        let harness = self.server(3, window: 1 << 20)
        harness.receive(Wire.windowUpdate(0, 1 << 20))
        for stream: UInt32 in [1, 3, 5] {
            // Nothing is taken before all have something to send.
            harness.queue(stream, stream == 3 ? 20_000 : 40_000, ends: true)
        }
        harness.settle()
        #expect(
            harness.frames == [
                "DATA 1 16384", "DATA 3 16384", "DATA 5 16384", "DATA 1 16384", "DATA 3 3616 end", "DATA 5 16384",
                "DATA 1 7232 end", "DATA 5 7232 end",
            ])
    }

    @Test func `a small answer does not wait behind a large one`() {
        let harness = self.server(2, window: 1 << 20)
        harness.receive(Wire.windowUpdate(0, 1 << 20))
        harness.queue(1, 500_000, ends: true)
        harness.queue(3, 10, ends: true)
        harness.settle()
        #expect(harness.frames.firstIndex(of: "DATA 3 10 end") == 1)
    }

    @Test func `output comes in pieces that a socket can take`() throws {
        let harness = self.server(1, window: 1 << 24)
        harness.receive(Wire.windowUpdate(0, 1 << 24))
        harness.queue(1, 1_000_000, ends: true)
        var pieces = 0
        var total = 0
        while let output = harness.takeOutput() {
            #expect(output.count <= 65_536 + 16_393)
            pieces += 1
            total += output.count
        }
        #expect(pieces >= 12)
        #expect(total == 1_000_000 + 9 * 62)
    }

    @Test func `pieces of a body are put together into frames`() {
        let harness = self.server(1, window: 5)
        for count in [3, 4, 5] { harness.send(1, count) }
        harness.receive(Wire.windowUpdate(1, 100))
        #expect(harness.frames == ["DATA 1 3", "DATA 1 2", "DATA 1 7"])
    }

    @Test func `trailers wait for the body`() throws {
        let harness = self.server(1, window: 5)
        harness.send(1, 8)
        harness.sendTrailers(1, "Grpc-Status: 0\r\n\r\n")
        harness.settle()
        #expect(harness.frames == ["DATA 1 5"])
        harness.receive(Wire.windowUpdate(1, 100))
        #expect(harness.frames == ["DATA 1 5", "DATA 1 3", "HEADERS 1 15 end"])
        #expect(harness.openStreams == 0)
    }

    @Test func `an end needs no window`() {
        let harness = self.server(2, window: 0)
        harness.send(1, 0, ends: true)
        harness.sendTrailers(3, "a: b\r\n\r\n")
        harness.settle()
        #expect(harness.frames == ["DATA 1 0 end", "HEADERS 3 5 end"])
    }

    @Test func `a head larger than a frame is continued`() throws {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request()))
        let value = String(repeating: "x", count: 40_000)
        harness.respond(1, "HTTP/1.1 200 OK\r\nA: \(value)\r\n\r\n")
        #expect(harness.frames == ["HEADERS 1 16384 end", "CONTINUATION 1 16384", "CONTINUATION 1 7240"])
        #expect(harness.sent.map { $0.flags & 4 } == [0, 0, 4])
        var decoder = HPACKDecoder(tableSize: 4096)
        #expect(try decoder.fields(harness.sent.flatMap(\.payload)) == [":status: 200", "a: \(value)"])
    }

    @Test func `commands for streams that are gone, or out of order, do nothing`() {
        let harness = self.server(2)
        harness.receive(Wire.reset(1))
        harness.events = []
        for stream: UInt32 in [0, 1, 2, 99] {
            harness.respond(stream)
            harness.send(stream, 5, ends: true)
            harness.sendTrailers(stream, "\r\n")
            harness.machine.reset(stream: stream, code: .cancel)
            harness.machine.stopReceiving(stream: stream)
            harness.machine.consumed(stream: stream, count: 100)
            #expect(harness.buffered(stream) == 0)
        }
        // A second head, a body behind its end.
        #expect(!harness.sendHead(3, "HTTP/1.1 200 OK\r\n\r\n"))
        harness.send(3, 2, ends: true)
        harness.send(3, 2, ends: true)
        #expect(harness.frames == ["DATA 3 2 end"])
        #expect(harness.events.isEmpty)
    }

    @Test func `interim responses come before the response`() {
        let harness = HTTP2Harness()
        harness.receive(Wire.headers(1, Wire.request(), ends: true))
        #expect(harness.sendInterim(1, "HTTP/1.1 100 Continue\r\n\r\n"))
        #expect(!harness.sendInterim(1, "HTTP/1.1 200 OK\r\n\r\n"))
        #expect(
            !harness.sendHead(1, "HTTP/1.1 103 Early Hints\r\n\r\n"))
        harness.respond(1)
        #expect(!harness.sendInterim(1, "HTTP/1.1 100 Continue\r\n\r\n"))
        #expect(harness.frames.count == 2)
        #expect(harness.openStreams == 0)
    }

    @Test func `streams are found among those that share a place`() {
        var table = HTTP2StreamTable()
        var model: Set<UInt32> = []
        var random = LoopRandom(seed: 9)
        for _ in 0..<5000 {
            // Steps of a large power of two want the same place, whatever the size of the table.
            let id = UInt32(random.next() % 4) * 2 + 1 + UInt32(random.next() % 12) << 16
            if model.remove(id) != nil {
                table.remove(id)
            } else {
                model.insert(id)
                let slot = table.insert(HTTP2Stream(id: id, sendWindow: 0, receiveWindow: 0))
                let inserted = table[slot].id
                #expect(inserted == id)
            }
            var found: Set<UInt32> = []
            for id in model {
                if let slot = table.find(id), table[slot].id == id { found.insert(id) }
            }
            #expect(found == model)
            let count = table.count
            #expect(count == model.count)
            let gone = table.find(id) != nil
            #expect(gone == model.contains(id))
        }
    }

    // MARK: Receiving

    @Test func `windows are given back when the body has been passed on, half a window at a time`() {
        let harness = HTTP2Harness(limits: {
            $0.streamWindow = 100_000
            $0.connectionWindow = 150_000
        })
        harness.consumes = false
        harness.receive(Wire.headers(1, Wire.request([], Wire.post), ends: false))
        for _ in 0..<6 { harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 16_000))) }
        #expect(harness.frames.isEmpty)
        harness.machine.consumed(stream: 1, count: 49_999)
        harness.settle()
        #expect(harness.frames.isEmpty)
        harness.machine.consumed(stream: 1, count: 1)
        harness.settle()
        #expect(harness.frames == ["WINDOW_UPDATE 1 50000"])
        // More than there is does not count.
        harness.machine.consumed(stream: 1, count: 1_000_000)
        harness.settle()
        #expect(harness.frames == ["WINDOW_UPDATE 1 50000", "WINDOW_UPDATE 0 96000"])
    }

    @Test func `a small piece of a body does not hold on to all that came with it`() throws {
        var machine = HTTP2Connection(role: .server, limits: HTTP2Limits())
        var bytes = ByteBuffer(bytes: Wire.preface + Wire.settings())
        bytes.writeBytes(Wire.headers(1, Wire.request([], Wire.post), ends: false) + Wire.data(1, [1, 2, 3]))
        bytes.reserveCapacity(65_536)
        machine.receive(bytes, now: 1)
        var piece: ByteBuffer?
        while let event = machine.nextEvent() {
            if case .data(_, let data, _) = event { piece = data }
        }
        #expect(try #require(piece).readableBytes == 3)
        #expect(try #require(piece).storageCapacity < 64)
    }

    @Test func `padding needs no owner to be given back`() {
        let harness = HTTP2Harness(limits: { $0.streamWindow = 1000 })
        harness.consumes = false
        harness.receive(Wire.headers(1, Wire.request([], Wire.post), ends: false))
        for _ in 0..<2 { harness.receive(Wire.frame(0, 8, 1, [255] + [UInt8](repeating: 0, count: 256))) }
        #expect(harness.frames == ["WINDOW_UPDATE 1 512"])
    }

    @Test func `what was out when a stream was reset is given back to the connection`() {
        let harness = HTTP2Harness(limits: { $0.connectionWindow = 70_000 })
        harness.consumes = false
        for stream: UInt32 in [1, 3, 5] {
            harness.receive(Wire.headers(stream, Wire.request([], Wire.post), ends: false))
            harness.receive(Wire.data(stream, [UInt8](repeating: 0, count: 16_000)))
        }
        harness.receive(Wire.reset(1))
        harness.machine.reset(stream: 3, code: .cancel)
        harness.machine.stopReceiving(stream: 5)
        // On its way when the stream was reset here.
        harness.receive(Wire.data(3, [UInt8](repeating: 0, count: 16_000)))
        harness.receive(Wire.data(5, [UInt8](repeating: 0, count: 16_000)))
        let returned = harness.sent.filter { $0.type == 8 && $0.stream == 0 }.map { $0.word(0) }
        #expect(returned == [48_000])
        #expect(harness.events.suffix(2) == ["data 5 16000", "reset 1 CANCEL by peer"])
    }

    @Test func `a response that has ended still counts until it is passed on`() {
        let harness = HTTP2Harness(.client(isSecure: false), limits: { $0.connectionWindow = 65_535 })
        harness.consumes = false
        let ok = Wire.block([(":status", "200")])
        for stream: UInt32 in [1, 3, 5] {
            #expect(harness.open() == stream)
            harness.receive(
                Wire.headers(stream, ok, ends: false)
                    + Wire.data(stream, [UInt8](repeating: 0, count: 16_384), ends: true))
        }
        #expect(harness.openStreams == 0)
        #expect(harness.availableStreams == 100)
        harness.sent = []
        harness.machine.consumed(stream: 1, count: 16_384)
        harness.machine.stopReceiving(stream: 3)
        harness.machine.reset(stream: 5, code: .cancel)
        harness.settle()
        #expect(harness.frames == ["WINDOW_UPDATE 0 32768"])
        // Nothing of them is left.
        harness.receive(Wire.data(1, [0]))
        #expect(harness.connectionError == .streamClosed)
    }

    @Test func `a small window counts from when the client knows it`() {
        let harness = HTTP2Harness(handshake: false, limits: { $0.streamWindow = 10 })
        harness.receive(Wire.preface + Wire.settings() + Wire.headers(1, Wire.request([], Wire.post), ends: false))
        harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 20)))
        #expect(harness.streamErrors.isEmpty)
        harness.receive(Wire.frame(4, 1) + Wire.headers(3, Wire.request([], Wire.post), ends: false))
        harness.receive(Wire.data(3, [UInt8](repeating: 0, count: 11)))
        #expect(harness.streamErrors == [3: .flowControlError])
    }

    @Test func `a client that goes on after the answer is stopped, though not at once`() {
        let harness = self.server(1, ends: false, limits: { $0.streamWindow = 20_000 })
        harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 9000)))
        harness.events = []
        harness.machine.stopReceiving(stream: 1)
        harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 9000)))
        harness.send(1, 5, ends: true)
        // It may have been out of window, and has to see the answer before it can stop.
        #expect(harness.frames == ["DATA 1 5 end", "WINDOW_UPDATE 1 18000"])
        harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 9000)))
        #expect(harness.frames.count == 2)
        harness.receive(Wire.data(1, [UInt8](repeating: 0, count: 9000)))
        #expect(harness.frames.last == "RST_STREAM 1 NO_ERROR")
        // What was on its way is ignored.
        harness.receive(Wire.data(1, [1, 2, 3], ends: true))
        #expect(harness.events.isEmpty)
        #expect(harness.connectionError == nil)
        #expect(harness.openStreams == 0)
    }

    @Test func `a client that stops after the answer is left in peace`() {
        let harness = self.server(1, ends: false)
        harness.send(1, 5, ends: true)
        harness.machine.stopReceiving(stream: 1)
        harness.receive(Wire.data(1, [1, 2, 3], ends: true))
        #expect(harness.frames == ["DATA 1 5 end"])
        #expect(harness.openStreams == 0)
    }

    // MARK: The client's streams

    @Test func `a client opens as many streams as the server allows`() {
        let harness = HTTP2Harness(.client(isSecure: false), settings: [(3, 2)])
        #expect(harness.availableStreams == 2)
        #expect([harness.open(), harness.open(), harness.open()] == [1, 3, nil])
        harness.receive(Wire.headers(1, Wire.block([(":status", "204")])))
        #expect(harness.open() == 5)
        harness.receive(Wire.settings([(3, 3)]))
        #expect(harness.events.last == "settings")
        #expect(harness.open() == 7)
        #expect(harness.open("nonsense") == nil)
    }

    @Test func `GOAWAY says which requests can be tried elsewhere`() {
        let harness = HTTP2Harness(.client(isSecure: false))
        for _ in 0..<3 { _ = harness.open() }
        harness.receive(Wire.frame(7, 0, 0, Wire.word(3) + Wire.word(0)))
        #expect(harness.events == ["reset 5 REFUSED_STREAM by peer", "goaway 3 NO_ERROR"])
        #expect(harness.open() == nil)
        #expect(!harness.wantsClose)
        harness.receive(Wire.headers(1, Wire.block([(":status", "200")])) + Wire.reset(3))
        #expect(harness.wantsClose)
    }

    // MARK: The end

    @Test func `a graceful end lets requests through that are on their way`() throws {
        let harness = self.server(1)
        harness.machine.goAway(gracefully: true)
        harness.settle()
        #expect(harness.frames == ["GOAWAY 2147483647 NO_ERROR", "PING 0 8"])
        harness.receive(Wire.headers(3, Wire.request()))
        #expect(harness.events == ["head 3 GET / HTTP/1.1 end"])
        harness.receive(Wire.frame(6, 1, 0, try #require(harness.sent.last).payload))
        #expect(harness.frames.last == "GOAWAY 3 NO_ERROR")
        // From here on they are ignored, without an error, with the tables in step.
        let indexed = [0x40] + Wire.string("a") + Wire.string("b")
        harness.receive(Wire.headers(5, Wire.request() + indexed, ends: false) + Wire.data(5, [1], ends: true))
        #expect(harness.events.count == 1)
        #expect(!harness.wantsClose)
        harness.send(1, 1, ends: true)
        harness.respond(3)
        #expect(harness.wantsClose)
        #expect(harness.sent.filter { $0.type == 3 || $0.type == 7 }.count == 2)
    }

    @Test func `a second farewell does not wait for the client`() {
        let harness = self.server(1)
        harness.machine.goAway(gracefully: true)
        harness.machine.goAway(gracefully: true)
        harness.machine.goAway(gracefully: false)
        harness.settle()
        #expect(harness.frames == ["GOAWAY 2147483647 NO_ERROR", "PING 0 8", "GOAWAY 1 NO_ERROR"])
    }

    @Test func `pings are answered both ways`() {
        let harness = HTTP2Harness()
        harness.receive(Wire.frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]))
        #expect(harness.sent.last?.payload == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(harness.sent.last?.flags == 1)
        harness.machine.ping(7)
        harness.settle()
        #expect(harness.sent.last?.flags == 0)
        harness.receive(Wire.frame(6, 1, 0, [0, 0, 0, 0, 0, 0, 0, 7]))
        #expect(harness.events == ["pong 7"])
    }

    @Test func `after an error nothing comes and nothing goes`() {
        let harness = self.server(1)
        harness.receive(Wire.frame(6, 0, 1, [0, 0, 0, 0, 0, 0, 0, 7]))
        #expect(harness.events == ["closed PROTOCOL_ERROR"])
        harness.receive(Wire.headers(3, Wire.request()))
        harness.send(1, 5, ends: true)
        harness.machine.ping(1)
        harness.machine.goAway(gracefully: true)
        harness.settle()
        #expect(harness.frames == ["GOAWAY 1 PROTOCOL_ERROR"])
        #expect(harness.events == ["closed PROTOCOL_ERROR"])
    }
}
