import NIOCore

extension ByteBuffer {
    /// The same bytes in memory of their own, when they are a small part of the memory that they hold on to.
    func compacted() -> ByteBuffer {
        guard self.readableBytes * 4 < self.storageCapacity else { return self }
        var own = ByteBuffer()
        own.writeImmutableBuffer(self)
        return own
    }

    /// Gives up its bytes and its memory, if it has any.
    @inline(__always)
    mutating func letGo() {
        if self.capacity > 0 { self = ByteBuffer() }
    }
}
