import NIOCore

extension ExchangeMachine {
    /// Data as a chunk, followed by the last one with the trailers when `last` is given (lines and an empty line, or
    /// nothing).
    static func chunk(_ data: ByteBuffer?, last trailers: ByteBuffer? = nil) -> ByteBuffer {
        let count = data?.readableBytes ?? 0
        var framed = ByteBuffer()
        framed.reserveCapacity(count + 32 + (trailers?.readableBytes ?? 0))
        if let data, count > 0 {
            framed.writeString(String(count, radix: 16))
            framed.writeStaticString("\r\n")
            framed.writeImmutableBuffer(data)
            framed.writeStaticString("\r\n")
        }
        guard let trailers else { return framed }
        framed.writeStaticString("0\r\n")
        if trailers.readableBytes > 0 {
            framed.writeImmutableBuffer(trailers)
        } else {
            framed.writeStaticString("\r\n")
        }
        return framed
    }

    /// Lines with the empty line that ends them; nothing for no lines.
    static func closed(_ lines: ByteBuffer) -> ByteBuffer {
        guard lines.readableBytes > 0 else { return lines }
        var closed = lines
        closed.writeStaticString("\r\n")
        return closed
    }

    /// Trailers without the fields that say something about framing, routing or the client.
    ///
    /// - Parameter trailers: lines and an empty line, or nothing.
    static func allowedTrailers(_ trailers: ByteBuffer) -> ByteBuffer {
        guard trailers.readableBytes > 0 else { return trailers }
        var allowed = ByteBuffer()
        trailers.withUnsafeReadableBytes { bytes in
            var start = 0
            while start < bytes.count, let end = bytes[start...].firstIndex(of: ByteClass.lineFeed) {
                let line = UnsafeRawBufferPointer(rebasing: bytes[start...end])
                start = end + 1
                guard line.count > 2,
                    let passes = try? ChunkedScanner.isTrailerAllowed(
                        line, end: line.count - 2, malformed: .badRequest),
                    passes
                else { continue }
                allowed.writeBytes(line)
            }
        }
        return self.closed(allowed)
    }
}
