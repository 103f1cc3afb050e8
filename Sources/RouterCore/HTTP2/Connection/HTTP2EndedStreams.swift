/// Remembers how the last streams ended: what may still come for a stream depends on it (RFC 9113, 5.1).
struct HTTP2EndedStreams {
    enum Ending: UInt8 {
        /// Both ends have sent all.
        case complete
        case resetByPeer
        /// Frames that were on their way are ignored.
        case resetHere
    }

    private static var capacity: Int { 128 }

    private var ring: ContiguousArray<UInt64> = []
    private var next = 0

    @inline(__always)
    mutating func record(_ id: UInt32, _ ending: Ending) {
        let entry = UInt64(id) << 8 | UInt64(ending.rawValue)
        if self.ring.count < Self.capacity {
            self.ring.append(entry)
        } else {
            self.ring[self.next] = entry
            self.next = (self.next &+ 1) & (Self.capacity &- 1)
        }
    }

    /// How a stream ended; nil when it was never used, or too long ago.
    func find(_ id: UInt32) -> Ending? {
        for entry in self.ring.reversed() where entry >> 8 == UInt64(id) {
            return Ending(rawValue: UInt8(truncatingIfNeeded: entry))
        }
        return nil
    }
}
