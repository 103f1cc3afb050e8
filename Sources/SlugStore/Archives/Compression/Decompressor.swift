/// Undoes a compression, piece by piece and in bounded memory. Used on one thread.
protocol Decompressor: AnyObject {
    /// Whether the archive may end here.
    var isComplete: Bool { get }
    /// Consumes from `input` and produces into `output`. Both counts are 0 if it needs more input.
    func decode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SlugStoreError) -> (consumed: Int, produced: Int)
}

extension ArchiveCompression {
    func decompressor(_ limits: ArchiveExtractor.Limits) throws(SlugStoreError) -> any Decompressor {
        switch self {
        case .none: PlainCopy()
        case .gzip: try GzipDecompressor()
        case .zstd: try ZstdStreamDecompressor(maxWindowBytes: limits.maxWindowBytes)
        }
    }
}

/// No compression.
final class PlainCopy: Decompressor {
    var isComplete: Bool { true }

    func decode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> (consumed: Int, produced: Int) {
        let count = min(input.count, output.count)
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        return (count, count)
    }
}
