import NIOCore
import Testing

@testable import RouterCore

/// How fast HTTP/2 clients have to take and to send, on a loop that is turned by hand.
@Suite struct `An HTTP/2 client that dawdles` {
    private static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
    private static let post = [(":method", "POST")] + get.dropFirst()

    private func frames(_ client: HandStream, _ type: UInt8) -> [SentFrame] {
        SentFrame.parse(Array(client.output.readableBytesView)).filter { $0.type == type }
    }

    /// A client with windows of no size asks so often, and is answered with 10,000 bytes each time.
    private func ask(_ world: HandWorker, _ count: Int) -> HandStream {
        let client = world.connect()
        client.send(Wire.preface + Wire.settings([(4, 0)]) + Wire.frame(4, 1))
        for stream in 0..<count {
            client.send(Wire.headers(UInt32(stream * 2 + 1), Wire.block(Self.get)))
            world.settle()
            world.loop.upstreams.last?.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + String(repeating: "x", count: 10_000))
            world.settle()
        }
        return client
    }

    @Test(
        arguments: [
            // Seven are more than may wait, though each is far below it.
            (7, 1, 5.0...62.0), (30, 1, 5.0...62.0), (30, 7, 5.0...62.0),
            // Six are not; and what is as fast as it must be may go on.
            (6, 1, 200.0...200.0), (30, 9, 200.0...200.0),
        ] as [(Int, UInt32, ClosedRange<Double>)]
    ) func `with all its streams together is closed`(
        streams: Int, perSecond: UInt32, expected: ClosedRange<Double>
    ) throws {
        let world = try HandWorker()
        let client = self.ask(world, streams)
        #expect(self.frames(client, 1).count == streams)
        let time = world.pass(200, until: { !self.frames(client, 7).isEmpty }) { passed in
            guard passed == passed.rounded() else { return }
            for stream in 0..<streams { client.send(Wire.windowUpdate(UInt32(stream * 2 + 1), perSecond)) }
        }
        #expect(expected.contains(time), "\(time)")
        if time < 200 {
            #expect(self.frames(client, 7).last?.word(4) == HTTP2ErrorCode.enhanceYourCalm.rawValue)
            world.pass(3)
            #expect(client.isClosed)
            #expect(world.worker.ledger.held == 0)
        }
    }

    @Test(
        arguments: [
            ("application/grpc+proto", 20, false), ("Application/GRPC", 20, false), ("application/grpc", 40, true),
            ("application/json", 20, true), ("", 20, true),
        ]
    ) func `with its messages may do so if they are gRPC's`(type: String, pause: Double, isRefused: Bool) throws {
        let world = try HandWorker(change: { $0.instanceProtocol = .http2 })
        let client = world.connect()
        let fields = Self.post + (type.isEmpty ? [] : [("content-type", type)])
        client.send(Wire.preface + Wire.settings() + Wire.frame(4, 1))
        client.send(Wire.headers(1, Wire.block(fields), ends: false))
        world.settle()
        let upstream = try #require(world.loop.upstreams.first)
        upstream.send(Wire.settings() + Wire.frame(4, 1))
        world.pass(200, until: { !self.frames(client, 1).isEmpty }) { passed in
            if passed.truncatingRemainder(dividingBy: pause) == 0 { client.send(Wire.data(1, [0, 0, 0, 0, 0])) }
        }
        #expect(self.frames(client, 1).isEmpty == !isRefused)
        guard !isRefused else { return }
        upstream.send(Wire.headers(1, Wire.block([(":status", "200")]), ends: false))
        world.settle()
        #expect(self.frames(client, 1).count == 1)
    }
}
