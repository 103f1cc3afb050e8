import CZlib

/// zlib, inflating. It remembers the address of its stream, so that cannot live in a value that moves.
final class Inflater {
    enum Wrapping { case raw, gzip }
    enum Status { case goesOn, ended }

    private let stream: UnsafeMutablePointer<z_stream>

    init(_ wrapping: Wrapping) throws(SlugStoreError) {
        self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        let status =
            switch wrapping {
            case .raw: slipway_inflate_init_raw(self.stream)
            case .gzip: slipway_inflate_init_gzip(self.stream)
            }
        guard status == Z_OK else {
            throw SlugStoreError(code: .inputOutput, message: "zlib could not be started.")
        }
    }

    deinit {
        inflateEnd(self.stream)
        self.stream.deallocate()
    }

    /// Starts over with the next stream.
    func reset() { inflateReset(self.stream) }

    /// The reason, if the bytes are none of a deflated stream, is thrown.
    func inflate(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Malformed) -> (consumed: Int, produced: Int, status: Status) {
        // zlib's interface predates `const`; it does not write to the input.
        self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        self.stream.pointee.avail_in = UInt32(clamping: input.count)
        self.stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        self.stream.pointee.avail_out = UInt32(clamping: output.count)
        let status = CZlib.inflate(self.stream, Z_NO_FLUSH)
        let (consumed, produced) = (
            min(input.count, Int(UInt32.max)) - Int(self.stream.pointee.avail_in),
            min(output.count, Int(UInt32.max)) - Int(self.stream.pointee.avail_out)
        )
        switch status {
        case Z_OK, Z_BUF_ERROR: return (consumed, produced, .goesOn)
        case Z_STREAM_END: return (consumed, produced, .ended)
        default:
            throw Malformed(what: self.stream.pointee.msg.map { String(cString: $0) } ?? "it cannot be decompressed")
        }
    }

    struct Malformed: Error {
        var what: String
    }
}

/// The CRC-32 of bytes that go on from others, whose CRC-32 is `start` (0 for none).
func crc32(_ bytes: UnsafeRawBufferPointer, from start: UInt32 = 0) -> UInt32 {
    UInt32(
        truncatingIfNeeded: CZlib.crc32(
            UInt(start), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(clamping: bytes.count)))
}
