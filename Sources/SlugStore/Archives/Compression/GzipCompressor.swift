import CZlib

/// gzip: one member, with a header that says neither when nor where it was made.
final class GzipCompressor: StreamCompressor {
    private let stream: UnsafeMutablePointer<z_stream>

    init(level: Int) throws(SlugStoreError) {
        self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        guard slipway_deflate_init_gzip(self.stream, CInt(min(max(level, 1), 9))) == Z_OK else {
            throw SlugStoreError(code: .inputOutput, message: "zlib could not be started.")
        }
    }

    deinit {
        deflateEnd(self.stream)
        self.stream.deallocate()
    }

    func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int, isFlushed: Bool) {
        let (wanted, room) = (UInt32(clamping: input.count), UInt32(clamping: output.count))
        // zlib's interface predates `const`; it does not write to the input.
        self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        self.stream.pointee.avail_in = wanted
        self.stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        self.stream.pointee.avail_out = room
        let status = deflate(self.stream, isLast && Int(wanted) == input.count ? Z_FINISH : Z_NO_FLUSH)
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
            throw SlugStoreError(code: .inputOutput, message: "Compressing a stream: zlib says \(status).")
        }
        return (
            Int(wanted - self.stream.pointee.avail_in), Int(room - self.stream.pointee.avail_out),
            status == Z_STREAM_END
        )
    }
}
