import NIOCore

@testable import RouterCore

/// The far end of a simulated connection that speaks HTTP/2, by the module's own machine in the other role.
struct HTTP2End: ~Copyable {
    let cable: Cable
    var connection: HTTP2Connection
    private var outgoing = ByteBuffer()
    /// Whether the router knows this end's settings. What is given back before counts by the window that was before, and
    /// less than half of that is kept back; a smaller window could then never open.
    private(set) var isSettled = false

    init(_ cable: Cable, _ connection: consuming HTTP2Connection) {
        self.cable = cable
        self.connection = connection
        self.collect()
    }

    var canWrite: Bool { self.outgoing.readableBytes > 0 && self.cable.peerCanWrite }
    /// Whether all that it said is on its way.
    var hasSaidAll: Bool { self.outgoing.readableBytes == 0 }

    /// Takes what the machine has to say, as long as not much waits.
    mutating func collect() {
        while self.outgoing.readableBytes < 4096, let output = self.connection.takeOutput() {
            self.outgoing.discardReadBytes()
            self.outgoing.writeImmutableBuffer(output)
        }
    }

    mutating func write(_ world: World) {
        self.cable.peerWrites(&self.outgoing, atMost: world.pieceSize(self.outgoing.readableBytes))
        self.collect()
    }

    mutating func read(_ world: World) {
        let bytes = self.cable.toPeer.read(world.pieceSize(self.cable.toPeer.bytes.readableBytes))
        self.connection.receive(bytes, now: 0)
    }

    mutating func nextEvent() -> HTTP2Event? {
        var event = self.connection.nextEvent()
        if event == nil {
            self.collect()
            event = self.connection.nextEvent()
        }
        if case .settingsAcknowledged? = event { self.isSettled = true }
        return event
    }
}
