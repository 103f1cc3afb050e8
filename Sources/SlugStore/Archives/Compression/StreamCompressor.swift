/// Compresses a stream, piece by piece. Used by one thread at a time.
protocol StreamCompressor: AnyObject {
    /// Consumes from `input` and produces into `output`.
    /// - Parameter isLast: Whether nothing comes after `input`.
    /// - Returns: How much of each, and whether all that was consumed has been produced, which ends the stream if it is the last.
    func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int, isFlushed: Bool)
}

extension TreeArchiver.Compression {
    func compressor() throws(SlugStoreError) -> any StreamCompressor {
        switch self.kind {
        case .none: PlainCopy()
        case .gzip(let level): try GzipCompressor(level: level)
        case .zstd(let level): try ZstdStreamCompressor(level: level)
        }
    }
}

extension PlainCopy: StreamCompressor {
    func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> (consumed: Int, produced: Int, isFlushed: Bool) {
        let (consumed, produced) = self.decode(input, into: output)
        return (consumed, produced, consumed == input.count)
    }
}
