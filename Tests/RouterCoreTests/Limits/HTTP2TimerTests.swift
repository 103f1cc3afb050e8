import NIOCore
import Testing

@testable import RouterCore

/// What an HTTP/2 client owes its connection, on a loop that is turned by hand.
@Suite struct `An HTTP/2 client that takes its time` {
    private static let opening = Wire.preface + Wire.settings() + Wire.frame(4, 1)
    private static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]

    /// The codes of the GOAWAY frames that a client got, and their last streams.
    private func farewells(_ client: HandStream) -> [(last: UInt32, code: UInt32)] {
        var output = client.output
        var found: [(UInt32, UInt32)] = []
        while output.readableBytes >= 9, let header = HTTP2FrameHeader.peek(output) {
            output.moveReaderIndex(forwardBy: 9)
            guard var payload = output.readSlice(length: header.payloadLength) else { break }
            if header.type == 7, let pair = payload.readMultipleIntegers(as: (UInt32, UInt32).self) {
                found.append(pair)
            }
        }
        return found
    }

    @Test(
        arguments: [
            ("the preface", Array(Wire.preface.prefix(20))), ("its settings", Wire.preface),
            ("a part of them", Wire.preface + Array(Wire.settings([(4, 65_535)]).prefix(11))),
            ("the acknowledgement of ours", Wire.preface + Wire.settings()),
        ]) func `is closed when it does not send`(what: String, bytes: [UInt8]) throws
    {
        let world = try HandWorker()
        let client = world.connect()
        client.send(bytes)
        let time = world.pass(30, until: { client.isClosed || !self.farewells(client).isEmpty })
        #expect((10.0...11.0).contains(time), "\(time)")
        // It may read that before it is closed.
        world.pass(5, until: { client.isClosed })
        #expect(client.isClosed)
        if bytes.count > 20 { #expect(self.farewells(client).map(\.code) == [4]) }
    }

    @Test func `is closed when the handshake has agreed on HTTP/2 and nothing follows`() throws {
        let world = try HandWorker()
        let client = world.connect(.tls)
        world.pass(20)
        #expect(!client.isClosed, "the handshake has its own limit")
        let arriving = try #require(client.handler as? ArrivingConnection)
        arriving.agreed(
            on: TLSHandshakeFacts(
                serverName: nil, applicationProtocol: .http2, version: .tls13, clientSubject: nil))
        let time = world.pass(30, until: { client.isClosed || !self.farewells(client).isEmpty })
        #expect((10.0...11.0).contains(time), "\(time)")
        // It may read that before it is closed.
        world.pass(5, until: { client.isClosed })
        #expect(client.isClosed)
    }

    @Test(
        arguments: [
            ("a header block", Wire.headers(1, Wire.block(get), complete: false)),
            ("a frame", Array(Wire.headers(1, Wire.block(get)).prefix(15))),
            ("a frame's head", Array(Wire.frame(6, 0, 0, [0]).prefix(5))),
        ]) func `is sent away when it does not end`(what: String, bytes: [UInt8]) throws
    {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.opening)
        world.pass(20)
        client.send(bytes)
        let time = world.pass(30, until: { client.isClosed || !self.farewells(client).isEmpty })
        #expect((10.0...11.0).contains(time), "\(time)")
        // It may read that before it is closed.
        world.pass(5, until: { client.isClosed })
        #expect(client.isClosed)
        #expect(self.farewells(client).map(\.code) == [11])
    }

    @Test func `may take longer over one block after the other`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.opening)
        for stream in 0..<10 as Range<UInt32> {
            let block = Wire.block(Self.get)
            client.send(Wire.headers(stream * 2 + 1, Array(block.prefix(4)), complete: false))
            world.pass(8)
            client.send(Wire.continuation(stream * 2 + 1, Array(block.dropFirst(4))))
        }
        #expect(!client.isClosed)
    }

    @Test func `may take a minute over a DATA frame that comes fast enough`() throws {
        let world = try HandWorker()
        let client = world.connect()
        let post = [(":method", "POST")] + Self.get.dropFirst()
        client.send(Self.opening + Wire.headers(1, Wire.block(post), ends: false))
        let frame = Wire.data(1, [UInt8](repeating: 0x78, count: 16_000), ends: true)
        var sent = 0
        world.pass(Double(frame.count / 300 + 2)) { passed in
            guard passed == passed.rounded() else { return }
            client.send(Array(frame[sent..<min(frame.count, sent + 300)]))
            sent = min(frame.count, sent + 300)
        }
        let upstream = try #require(world.loop.upstreams.first)
        #expect(upstream.text.hasSuffix("x\r\n0\r\n\r\n"))
        #expect(!client.isClosed)
    }

    @Test func `is told which stream is the last one, whether it answers or not`() throws {
        let world = try HandWorker()
        let client = world.connect()
        client.send(Self.opening + Wire.headers(1, Wire.block(Self.get)))
        world.worker.shutDown(idleGrace: world.worker.limits.linger)
        world.settle()
        #expect(self.farewells(client).map(\.last) == [0x7FFF_FFFF])
        // On its way when it was announced.
        client.send(Wire.headers(3, Wire.block(Self.get)))
        world.pass(3)
        #expect(self.farewells(client).map(\.last) == [0x7FFF_FFFF, 3])
        for upstream in world.loop.upstreams { upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        world.settle()
        #expect(client.text.contains("ok"))
        // To close while it still sends would be a reset, which could destroy the answers.
        client.send(Wire.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)))
        world.settle()
        #expect(!client.isClosed)
        world.pass(3)
        #expect(client.isClosed, "it has had its time to read them")
    }
}
