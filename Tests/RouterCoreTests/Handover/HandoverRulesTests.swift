import NIOCore
import Testing

@testable import RouterCore

@Suite struct `What routers say to each other` {
    static let messages: [HandoverMessage] = [
        .hello, .offer(names: []), .offer(names: ["127.0.0.1:80", "[::]:443"]), .ready, .released, .refusal("No."),
    ]

    @Test(arguments: messages) func `is read as it was written`(message: HandoverMessage) throws {
        #expect(try HandoverMessage(message.encoded()) == message)
    }

    @Test(arguments: messages) func `is refused when a byte is missing or too many`(message: HandoverMessage) {
        let bytes = message.encoded()
        for count in 0..<bytes.readableBytes {
            let part = bytes.getSlice(at: 0, length: count) ?? ByteBuffer()
            #expect(throws: HandoverMessage.Malformed.self) { try HandoverMessage(part) }
        }
        var more = bytes
        more.writeInteger(UInt8(0))
        #expect(throws: HandoverMessage.Malformed.notAMessage) { try HandoverMessage(more) }
    }

    @Test(arguments: messages) func `is of one version, except for a refusal`(message: HandoverMessage) throws {
        let bytes = message.encoded(version: 2)
        if case .refusal = message {
            #expect(try HandoverMessage(bytes) == message)
        } else {
            #expect(throws: HandoverMessage.Malformed.version(2)) { try HandoverMessage(bytes) }
        }
    }

    @Test func `names at most so many sockets as can be handed over at once`() throws {
        let names = Array(repeating: "a", count: HandoverMessage.maxSockets)
        #expect(try HandoverMessage(HandoverMessage.offer(names: names).encoded()) == .offer(names: names))
        let tooMany = HandoverMessage.offer(names: names + ["a"]).encoded()
        #expect(throws: HandoverMessage.Malformed.notAMessage) { try HandoverMessage(tooMany) }
    }

    @Test func `fits into one message, whatever the reason`() {
        let reason = HandoverMessage.refusal(String(repeating: "é", count: 100_000))
        #expect(reason.encoded().readableBytes <= HandoverMessage.maxBytes)
    }
}

@Suite struct `Whom a router hands over to` {
    private enum Step: Sendable {
        case hello(Int32), ready(Int32), left(Int32), time(UInt64), stop
    }

    private typealias Case = (steps: [Step], actions: [String])

    private static let cases: [Case] = [
        ([.hello(1), .ready(1), .stop], ["offer 1", "release 1", "tell 1"]),
        // Before it is ready, its end changes nothing.
        ([.hello(1), .left(1), .hello(2), .ready(2)], ["offer 1", "offer 2", "release 2"]),
        // One at a time.
        ([.hello(1), .hello(2), .ready(2), .ready(1)], ["offer 1", "refuse 2", "close 2", "release 1"]),
        ([.hello(1), .hello(1)], ["offer 1", "close 1"]),
        ([.ready(1)], ["close 1"]),
        ([.hello(1), .ready(1), .ready(1), .hello(2)], ["offer 1", "release 1", "close 1", "refuse 2"]),
        // The offer lasts for 100.
        ([.hello(1), .time(99), .ready(1)], ["offer 1", "release 1"]),
        ([.hello(1), .time(100), .ready(1), .hello(2)], ["offer 1", "refuse 1", "close 1", "offer 2"]),
        ([.hello(1), .ready(1), .time(1000)], ["offer 1", "release 1"]),
        // When the router stops for another reason, whoever has the offer goes on.
        ([.hello(1), .stop, .hello(2), .stop], ["offer 1", "tell 1", "refuse 2"]),
        ([.stop, .hello(1)], ["refuse 1"]),
        // Who has gone is not told, even if the number of its connection is another's.
        ([.hello(1), .ready(1), .left(1), .hello(1), .stop], ["offer 1", "release 1", "refuse 1"]),
        ([.hello(1), .ready(1), .stop, .stop], ["offer 1", "release 1", "tell 1"]),
    ]

    @Test(arguments: cases.indices) func `is one router at a time, and in the end one for good`(index: Int) {
        let (steps, expected) = Self.cases[index]
        var machine = HandoverMachine(offerTimeout: 100)
        var actions: [String] = []
        func note(_ action: HandoverMachine.Action?) {
            switch action {
            case .offer(let peer): actions.append("offer \(peer)")
            case .refuse(let peer, _): actions.append("refuse \(peer)")
            case .release(let peer): actions.append("release \(peer)")
            case .close(let peer): actions.append("close \(peer)")
            case nil: break
            }
        }
        for step in steps {
            switch step {
            case .hello(let peer): note(machine.hello(peer, process: 7, now: 0))
            case .ready(let peer): note(machine.ready(peer))
            case .left(let peer): _ = machine.left(peer)
            case .time(let now): note(machine.expire(now: now))
            case .stop: if let peer = machine.stop() { actions.append("tell \(peer)") }
            }
        }
        #expect(actions == expected)
    }

    @Test func `has until the offer expires`() {
        var machine = HandoverMachine(offerTimeout: 100)
        #expect(machine.deadline == nil)
        _ = machine.hello(1, process: 7, now: 50)
        #expect(machine.deadline == 150)
        _ = machine.ready(1)
        #expect(machine.deadline == nil)
    }

    /// The latest time that the system's clock has, and the longest that a duration is made to.
    @Test func `has for ever, if that is the limit`() {
        var machine = HandoverMachine(offerTimeout: Duration.seconds(Int64.max).nanosecondsClamped)
        let latest = UInt64(Int64.max)
        _ = machine.hello(1, process: 7, now: latest)
        #expect(machine.deadline.map { $0 > latest } == true)
        #expect(machine.expire(now: latest) == nil)
        #expect(machine.ready(1) == .release(1))
    }
}
