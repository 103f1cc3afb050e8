import Synchronization

/// Makes an archive piece by piece, each on the thread that asks for it.
final class ArchiveProducer: Sendable {
    private static let pieceBytes = 256 << 10

    private let archive: TreeArchive
    private let state = Mutex<CompressedTar?>(nil)

    init(_ archive: TreeArchive) { self.archive = archive }

    /// The next piece; `nil` at the end. Blocks.
    func next(_ cancellation: Cancellation) throws(SlugStoreError) -> [UInt8]? {
        try self.state.withLock { optional in
            Result { () throws(SlugStoreError) -> [UInt8]? in
                var state: CompressedTar
                if let existing = optional.take() {
                    state = existing
                } else {
                    state = try self.start(cancellation)
                }
                var output = [UInt8](repeating: 0, count: Self.pieceBytes)
                let count = try state.read(into: &output, cancellation)
                optional = consume state
                return count == 0 ? nil : Array(output[..<count])
            }
        }.get()
    }

    private func start(_ cancellation: Cancellation) throws(SlugStoreError) -> CompressedTar {
        let root = try Descriptor.directory(at: self.archive.tree)
        let excludes = self.archive.excludes.map { excludes -> TreeScanner.Exclusion in
            { path, isDirectory in excludes(String(decoding: path.bytes, as: UTF8.self), isDirectory) }
        }
        let limits = self.archive.archiver.limits
        let entries = try TreeScanner.scan(root, limits: limits, excluding: excludes, cancellation: cancellation)
        return CompressedTar(
            TarStream(root, entries, maxBytes: limits.maxTreeBytes),
            try self.archive.archiver.compression.compressor())
    }
}

/// A tar stream on its way through a compressor.
struct CompressedTar: ~Copyable {
    private var tar: TarStream
    private let compressor: any StreamCompressor
    private var input = [UInt8](repeating: 0, count: 256 << 10)
    private var consumed = 0
    private var filled = 0
    private var tarHasEnded = false
    private var hasEnded = false

    init(_ tar: TarStream, _ compressor: any StreamCompressor) {
        self.tar = tar
        self.compressor = compressor
    }

    /// Fills `output` as far as there is something; 0 is the end.
    /// - Parameter watch: Sees what goes into the compressor.
    mutating func read(
        into output: inout [UInt8], _ cancellation: Cancellation, watch: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(SlugStoreError) -> Int {
        var produced = 0
        while produced < output.count, !self.hasEnded {
            try cancellation.check()
            if self.consumed == self.filled, !self.tarHasEnded {
                self.consumed = 0
                self.filled = try self.tar.read(into: &self.input)
                self.tarHasEnded = self.filled == 0
                self.input.withUnsafeBytes { watch(UnsafeRawBufferPointer(rebasing: $0[..<self.filled])) }
            }
            let (start, end, isLast, compressor) = (self.consumed, self.filled, self.tarHasEnded, self.compressor)
            let step = try self.input.withBytes { input throws(SlugStoreError) in
                try output.withMutableBytes { output throws(SlugStoreError) in
                    try compressor.compress(
                        UnsafeRawBufferPointer(rebasing: input[start..<end]),
                        into: UnsafeMutableRawBufferPointer(rebasing: output[produced...]), isLast: isLast)
                }
            }
            self.consumed += step.consumed
            produced += step.produced
            self.hasEnded = isLast && step.isFlushed
        }
        return produced
    }
}
