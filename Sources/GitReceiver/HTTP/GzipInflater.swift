import CZlib
import Synchronization

/// Unpacks a gzip stream in bounded pieces. Safe from any thread: the stream is behind a lock.
final class GzipInflater: Sendable {
    private struct Stream: ~Copyable {
        /// zlib remembers the address of its stream, so it cannot live in a movable value.
        let pointer: UnsafeMutablePointer<z_stream>
        var input: [UInt8] = []
        var head = 0
        var ended = false

        deinit {
            inflateEnd(self.pointer)
            self.pointer.deallocate()
        }
    }

    private static let pieceSize = 1 << 16
    private let stream: Mutex<Stream>

    init() throws(GitReceiverError) {
        let pointer = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        pointer.initialize(to: z_stream())
        let code = slipway_inflate_init_gzip(pointer)
        self.stream = Mutex(Stream(pointer: pointer))
        guard code == Z_OK else { throw GitReceiverError(.storage, "zlib could not be started.") }
    }

    /// Takes more of the stream. What follows its end is refused: nobody would ever take it from memory.
    func append(_ bytes: [UInt8]) throws(GitReceiverError) {
        try self.stream.withLock { stream throws(GitReceiverError) in
            guard !stream.ended else {
                throw GitReceiverError(.malformed, "Something follows the end of the gzipped request body.")
            }
            if stream.head == stream.input.count {
                stream.input = bytes
                stream.head = 0
            } else {
                stream.input += bytes
            }
        }
    }

    /// The next piece of the contents, at most 64 KiB; empty when more input is needed or the stream is over.
    func next() throws(GitReceiverError) -> [UInt8] {
        try self.stream.withLock { stream throws(GitReceiverError) -> [UInt8] in
            if stream.ended || stream.head == stream.input.count { return [] }
            var code = Z_OK
            var consumed = 0
            let pointer = stream.pointer
            let output = stream.input.withUnsafeMutableBufferPointer { input in
                [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, count in
                    pointer.pointee.next_in = input.baseAddress?.advanced(by: stream.head)
                    pointer.pointee.avail_in = UInt32(input.count - stream.head)
                    pointer.pointee.next_out = buffer.baseAddress
                    pointer.pointee.avail_out = UInt32(buffer.count)
                    code = inflate(pointer, Z_NO_FLUSH)
                    consumed = input.count - stream.head - Int(pointer.pointee.avail_in)
                    count = buffer.count - Int(pointer.pointee.avail_out)
                }
            }
            stream.head += consumed
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
                throw GitReceiverError(.malformed, "The request body is not valid gzip.")
            }
            stream.ended = code == Z_STREAM_END
            return output
        }
    }

    /// Says that no more input comes.
    func finish() throws(GitReceiverError) {
        guard self.stream.withLock({ $0.ended }) else {
            throw GitReceiverError(.malformed, "The gzipped request body is cut off.")
        }
    }
}
