import DequeModule
import NIOCore

/// One stream: what both ends have sent, and may still send.
struct HTTP2Stream {
    struct Flags: OptionSet {
        var rawValue: UInt16

        /// The peer has ended its message.
        static let remoteEnded = Flags(rawValue: 1 << 0)
        /// The owner has ended its message; some of it may still wait.
        static let endQueued = Flags(rawValue: 1 << 1)
        /// The end of the owner's message is in the output.
        static let localEnded = Flags(rawValue: 1 << 2)
        /// The final head came from the peer.
        static let headReceived = Flags(rawValue: 1 << 3)
        /// The final head went to the peer.
        static let headSent = Flags(rawValue: 1 << 4)
        /// What the peer still sends is thrown away.
        static let discards = Flags(rawValue: 1 << 5)
        static let extendedConnect = Flags(rawValue: 1 << 6)
        /// The message to be received has no body, whatever its fields say.
        static let bodyless = Flags(rawValue: 1 << 7)
        /// It is in the queue of those that have something to send and room in their window.
        static let isQueued = Flags(rawValue: 1 << 8)
        /// Some data had to wait, so that the owner hears when it has gone.
        static let waited = Flags(rawValue: 1 << 9)
        /// It has ended; only what the owner still has to pass on keeps it here.
        static let isOver = Flags(rawValue: 1 << 10)
    }

    var id: UInt32
    var flags: Flags = []
    /// How much may still be sent; negative when the peer made its window smaller.
    var sendWindow: Int
    /// How much the peer may still send.
    var receiveWindow: Int
    /// What was given to the owner and has not been passed on.
    var unconsumed = 0
    /// What was passed on and has not been given back to the peer's window.
    var unreturned = 0
    /// The length that the peer promised; -1 when it promised none.
    var promised = -1
    var received = 0

    var pendingBytes = 0
    /// What waits to be sent; most streams never have to wait.
    var backlog: HTTP2Backlog?

    init(id: UInt32, sendWindow: Int, receiveWindow: Int) {
        self.id = id
        self.sendWindow = sendWindow
        self.receiveWindow = receiveWindow
    }

    mutating func enqueue(_ data: ByteBuffer) {
        let backlog = self.backlog ?? HTTP2Backlog()
        self.backlog = backlog
        self.pendingBytes &+= data.readableBytes
        backlog.append(data)
    }

    /// Moves the next `count` bytes, which must be there, to the output.
    mutating func dequeue(_ count: Int, into output: inout ByteBuffer) {
        self.pendingBytes &-= count
        self.backlog?.move(count, into: &output)
    }
}

/// What a stream has to send when the peer's windows open.
final class HTTP2Backlog {
    var data: Deque<ByteBuffer> = []
    var trailers: ByteBuffer?

    func append(_ bytes: ByteBuffer) { self.data.keep(bytes) }

    func move(_ count: Int, into output: inout ByteBuffer) {
        var rest = count
        while rest > 0, !self.data.isEmpty {
            let step = min(rest, self.data[0].readableBytes)
            self.data[0].withUnsafeReadableBytes { bytes in
                _ = output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[0..<step]))
            }
            self.data[0].moveReaderIndex(forwardBy: step)
            rest -= step
            if self.data[0].readableBytes == 0 { self.data.removeFirst() }
        }
    }
}

/// The streams of a connection, found by their identifiers: an open-addressed table, because identifiers grow one by
/// one and so spread perfectly without a hash.
struct HTTP2StreamTable: ~Copyable {
    private var slots: ContiguousArray<HTTP2Stream> = []
    private var free: ContiguousArray<Int32> = []
    /// Pairs of an identifier and its slot; the identifier is 0 where nothing is.
    private var index: ContiguousArray<(id: UInt32, slot: Int32)> = ContiguousArray(repeating: (0, 0), count: 8)
    private(set) var count = 0

    /// The stream in a slot, which ``find(_:)`` or ``insert(_:)`` returned.
    subscript(slot: Int) -> HTTP2Stream {
        @inline(__always) _read { yield self.slots[slot] }
        @inline(__always) _modify { yield &self.slots[slot] }
    }

    private var mask: Int { self.index.count &- 1 }

    @inline(__always)
    private func home(_ id: UInt32) -> Int { Int(id >> 1) & self.mask }

    @inline(__always)
    func find(_ id: UInt32) -> Int? {
        var place = self.home(id)
        while true {
            let entry = self.index[place]
            if entry.id == id { return Int(entry.slot) }
            if entry.id == 0 { return nil }
            place = (place &+ 1) & self.mask
        }
    }

    /// Inserts a stream whose identifier is not in the table.
    mutating func insert(_ stream: HTTP2Stream) -> Int {
        if (self.count + 1) * 2 > self.index.count { self.growIndex() }
        let slot: Int
        if let reused = self.free.popLast() {
            slot = Int(reused)
            self.slots[slot] = stream
        } else {
            slot = self.slots.count
            self.slots.append(stream)
        }
        self.place(stream.id, Int32(truncatingIfNeeded: slot))
        self.count += 1
        return slot
    }

    mutating func remove(_ id: UInt32) {
        guard let slot = self.find(id) else { return }
        var hole = self.home(id)
        while self.index[hole].id != id { hole = (hole + 1) & self.mask }
        // Entries that were pushed past the hole move back into it.
        var place = hole
        while true {
            place = (place + 1) & self.mask
            let entry = self.index[place]
            if entry.id == 0 { break }
            let distance = (place &- self.home(entry.id)) & self.mask
            if distance >= (place &- hole) & self.mask {
                self.index[hole] = entry
                hole = place
            }
        }
        self.index[hole] = (0, 0)
        self.count -= 1
        // A crowd that has left does not keep its seats.
        if self.count == 0, self.slots.count > 64 {
            self.slots = []
            self.free = []
            return
        }
        self.slots[slot].id = 0
        self.slots[slot].backlog = nil
        self.free.append(Int32(truncatingIfNeeded: slot))
    }

    mutating func removeAll() {
        self.slots = []
        self.free = []
        self.index = ContiguousArray(repeating: (0, 0), count: 8)
        self.count = 0
    }

    /// Calls `body` with each stream.
    mutating func forEach(_ body: (inout HTTP2Stream) -> Void) {
        for slot in self.slots.indices where self.slots[slot].id != 0 { body(&self.slots[slot]) }
    }

    private mutating func place(_ id: UInt32, _ slot: Int32) {
        var place = self.home(id)
        while self.index[place].id != 0 { place = (place + 1) & self.mask }
        self.index[place] = (id, slot)
    }

    private mutating func growIndex() {
        let old = self.index
        self.index = ContiguousArray(repeating: (0, 0), count: old.count * 2)
        for entry in old where entry.id != 0 { self.place(entry.id, entry.slot) }
    }
}
