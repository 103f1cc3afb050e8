import NIOCore

extension HTTP2Connection {
    /// Lets go of the memory that was read into: what waits for the rest of a frame is kept in memory of its own.
    mutating func releaseInput() {
        self.input = self.input.readableBytes == 0 ? ByteBuffer() : self.input.compacted()
    }
}
