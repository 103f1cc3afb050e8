import DequeModule
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
    fileprivate mutating func absorb(_ bytes: ByteBuffer) -> Bool {
        guard bytes.readableBytes < 2048, self.readableBytes < 16_384 else { return false }
        self.writeImmutableBuffer(bytes)
        return true
    }
}

extension Deque where Element == ByteBuffer {
    /// Keeps bytes behind those that wait already, without much more memory than they need: neither a read buffer that they
    /// are a small part of, nor a buffer for every few bytes.
    mutating func keep(_ bytes: ByteBuffer) {
        if var last = self.popLast() {
            let isAbsorbed = last.absorb(bytes)
            self.append(last)
            if isAbsorbed { return }
        }
        self.append(bytes.compacted())
    }
}
