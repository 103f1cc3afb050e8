import Synchronization

/// Reads the files of a scanned tree once, on several threads: cuts, hashes, and packs what is not stored yet.
/// Without a pack, it only finds out what the files are.
///
/// Each thread does all steps for the files it takes, so memory is a few buffers per thread and nothing is handed over.
/// Threads take neighbouring files together: what lies together is alike and compresses well in one frame.
final class TreeIngest: Sendable {
    /// What a file turned out to be.
    struct File: Sendable {
        /// Its position in the scan.
        var position: Int
        var isExecutable: Bool
        var chunks: [SlugManifest.ChunkReference]
    }

    private struct State {
        var next = 0
        var files: [File] = []
        var progress = SlugProgress()
    }

    private static let filesAtOnce = 16
    /// What of a file is in memory at a time: some of the largest chunks, and little enough for the cache of a core.
    private static let bufferBytes = 4 * Chunker.files.maximum

    private let entries: [TreeScanner.Entry]
    private let root: Descriptor
    private let pack: PendingPack?
    private let configuration: LocalSlugRepository.Configuration
    private let cancellation: Cancellation
    private let progress: (@Sendable (SlugProgress) -> Void)?
    private let state = Mutex(State())
    /// Held while ``progress`` is called, so that it is never called twice at a time; apart from the state, so that only
    /// those who report wait for the one who listens.
    private let reporting = Mutex(())

    init(
        _ entries: [TreeScanner.Entry], of root: Descriptor, into pack: PendingPack?,
        configuration: LocalSlugRepository.Configuration, cancellation: Cancellation,
        progress: (@Sendable (SlugProgress) -> Void)?
    ) {
        self.entries = entries
        self.root = root
        self.pack = pack
        self.configuration = configuration
        self.cancellation = cancellation
        self.progress = progress
    }

    /// Reads all files. Blocks.
    func run() throws(SlugStoreError) -> [File] {
        try BlockingWork.parallel(self.configuration.workers) { stop throws(SlugStoreError) in try self.work(stop) }
        return self.state.withLock { $0.files }
    }

    private func work(_ stop: Cancellation) throws(SlugStoreError) {
        let directories = DirectoryCursor(root: self.root)
        let frames = try self.pack.map { pack throws(SlugStoreError) in
            try FrameWriter(pack: pack, level: self.configuration.compressionLevel)
        }
        // Not an array, whose zeros would bring all of it into memory, while most files fill a few pages.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferBytes, alignment: 16)
        defer { buffer.deallocate() }
        while let batch = self.take() {
            for position in batch {
                guard case .file = self.entries[position].kind else { continue }
                if stop.isCancelled { return }
                let path = self.entries[position].path
                let source = try TreeFile(path, in: try directories.directory(of: path))
                let chunks = try self.read(source, through: buffer, into: frames)
                let file = File(position: position, isExecutable: source.isExecutable, chunks: chunks)
                self.state.withLock { state in
                    state.files.append(file)
                    state.progress.files += 1
                }
            }
            self.report()
        }
        try frames?.flush()
    }

    private func take() -> Range<Int>? {
        self.state.withLock { state in
            guard state.next < self.entries.count else { return nil }
            let batch = state.next..<min(state.next + Self.filesAtOnce, self.entries.count)
            state.next = batch.upperBound
            return batch
        }
    }

    private func read(
        _ file: TreeFile, through buffer: UnsafeMutableRawBufferPointer, into frames: FrameWriter?
    ) throws(SlugStoreError) -> [SlugManifest.ChunkReference] {
        var chunks: [SlugManifest.ChunkReference] = []
        var (start, end, total) = (0, 0, Int64(0))
        var isAtEnd = false
        while true {
            if !isAtEnd, end - start < Chunker.files.maximum {
                try self.cancellation.check()
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
                (start, end) = (0, end - start)
                // Never past the size that the file had: whether it has grown shows at the end.
                let wanted = Int(min(Int64(buffer.count - end), file.bytes - total))
                let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end..<end + wanted]))
                end += count
                total += Int64(count)
                isAtEnd = count < wanted || total == file.bytes
                try self.count(bytes: count)
            }
            if start == end { break }
            let rest = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            let length = total <= Int64(Chunker.wholeFileLimit) ? rest.count : Chunker.files.firstCut(in: rest)
            let bytes = UnsafeRawBufferPointer(rebasing: rest[..<length])
            let chunk = SlugManifest.ChunkReference(id: ChunkID(of: bytes), length: length)
            let isNew = self.pack?.claim(chunk.id) ?? false
            if isNew { try frames?.append(chunk, bytes) }
            self.state.withLock { state in
                if isNew {
                    state.progress.bytesNew += Int64(length)
                } else {
                    state.progress.bytesReused += Int64(length)
                }
            }
            chunks.append(chunk)
            start += length
        }
        try file.finish(bytesRead: total)
        return chunks
    }

    private func count(bytes: Int) throws(SlugStoreError) {
        let total = self.state.withLock { state in
            state.progress.bytesRead += Int64(bytes)
            return state.progress.bytesRead
        }
        guard total <= self.configuration.limits.maxTreeBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The tree has more than \(self.configuration.limits.maxTreeBytes) bytes, which is the limit. "
                    + "Leave out what the application does not need at run time.")
        }
    }

    private func report() {
        guard let progress else { return }
        self.reporting.withLock { _ in progress(self.state.withLock { $0.progress }) }
    }
}
