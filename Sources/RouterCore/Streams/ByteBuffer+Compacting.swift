import NIOCore

extension ByteBuffer {
    /// The same bytes in memory of their own, when they are less than half of the memory that they hold on to.
    func compacted() -> ByteBuffer {
        guard self.readableBytes * 2 < self.storageCapacity else { return self }
        var own = ByteBuffer()
        own.writeImmutableBuffer(self)
        return own
    }

    /// Gives up its bytes and its memory, if it has any.
    @inline(__always)
    mutating func letGo() {
        if self.capacity > 0 { self = ByteBuffer() }
    }

    /// Puts bytes behind these, in the same memory, when both are few; false when they are to be kept for themselves.
    mutating func absorb(_ bytes: ByteBuffer) -> Bool {
        guard bytes.readableBytes < 2048, self.readableBytes < 16_384 else { return false }
        self.writeImmutableBuffer(bytes)
        return true
    }
}
