import CZstd
import Synchronization

/// Makes an archive piece by piece, each on the thread that asks for it.
final class ArchiveProducer: Sendable {
    private static let pieceBytes = 256 << 10

    private struct State: ~Copyable {
        var tar: TarStream
        var compressor: ZstdCompressor
        var input = [UInt8](repeating: 0, count: 256 << 10)
        var consumed = 0
        var filled = 0
        var tarHasEnded = false
        var hasEnded = false
    }

    private let archive: TreeArchive
    private let state = Mutex<State?>(nil)

    init(_ archive: TreeArchive) { self.archive = archive }

    /// The next piece; `nil` at the end. Blocks.
    func next(_ cancellation: Cancellation) throws(SlugStoreError) -> [UInt8]? {
        try self.state.withLock { optional in
            Result { () throws(SlugStoreError) -> [UInt8]? in
                var state: State
                if let existing = optional.take() {
                    state = existing
                } else {
                    state = State(
                        tar: try TarStream(self.archive, cancellation),
                        compressor: try ZstdCompressor(level: self.archive.archiver.compressionLevel))
                }
                let piece = try Self.piece(&state, cancellation)
                optional = consume state
                return piece
            }
        }.get()
    }

    private static func piece(
        _ state: inout State, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> [UInt8]? {
        guard !state.hasEnded else { return nil }
        var output = [UInt8](repeating: 0, count: self.pieceBytes)
        var produced = 0
        while produced < output.count, !state.hasEnded {
            try cancellation.check()
            if state.consumed == state.filled, !state.tarHasEnded {
                state.consumed = 0
                state.filled = try state.tar.read(into: &state.input)
                state.tarHasEnded = state.filled == 0
            }
            let (start, end, isLast) = (state.consumed, state.filled, state.tarHasEnded)
            let result = try state.input.withBytes { input throws(SlugStoreError) in
                try output.withMutableBytes { output throws(SlugStoreError) in
                    var source = ZSTD_inBuffer(
                        src: input.baseAddress.map { $0 + start }, size: end - start, pos: 0)
                    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: produced)
                    let isFlushed = try state.compressor.stream(&source, into: &target, end: isLast)
                    return (consumed: source.pos, produced: target.pos, isFlushed: isFlushed)
                }
            }
            state.consumed += result.consumed
            produced = result.produced
            state.hasEnded = isLast && result.isFlushed
        }
        return Array(output[..<produced])
    }
}
