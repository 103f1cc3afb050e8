import Synchronization

/// The pack of a put that is under way: which chunks it will hold, and the file, made when the first frame is written.
final class PendingPack: Sendable {
    private struct State {
        var claimed: Set<ChunkID> = []
        var file: (entry: TemporaryEntry, writer: PackWriter)?
    }

    private let directory: RepositoryDirectory
    private let index: ChunkIndex?
    private let reserve: DiskReserve
    private let state = Mutex(State())

    /// - Parameters:
    ///   - index: What is stored already and is not stored again; `nil` stores all that is claimed.
    ///   - reserve: What it must not take of the disk.
    init(directory: RepositoryDirectory, index: ChunkIndex?, reserve: DiskReserve) {
        self.directory = directory
        self.index = index
        self.reserve = reserve
    }

    /// Whether the chunk is neither stored nor claimed before: then the caller must add it to a frame.
    func claim(_ chunk: ChunkID) -> Bool {
        if let index, index.contains(chunk) { return false }
        return self.state.withLock { $0.claimed.insert(chunk).inserted }
    }

    /// The file's writer.
    func writer() throws(SlugStoreError) -> PackWriter {
        try self.state.withLock { state in
            Result { () throws(SlugStoreError) in
                if let file = state.file { return file.writer }
                let entry = try self.directory.makeTemporaryFile()
                let writer = try PackWriter(file: entry.descriptor, name: entry.name, reserve: self.reserve)
                state.file = (entry, writer)
                return writer
            }
        }.get()
    }

    /// Makes the pack durable and its chunks findable. All frames must have been flushed.
    /// - Returns: Its name and what it takes on disk; `nil` if there was nothing to store, or if another put has stored all
    ///   of it meanwhile.
    func publish() throws(SlugStoreError) -> (name: String, bytes: Int64)? {
        let (file, claimed) = self.state.withLock { ($0.file, $0.claimed) }
        guard let file else { return nil }
        if let index, claimed.allSatisfy({ index.contains($0) }) { return nil }
        let (digest, frames, bytes) = try file.writer.finish()
        let name = digest.description + PackFormat.fileExtension
        // A file of that name has the same index, thus the same chunks at the same places, or it is damaged.
        try self.directory.replace(with: file.entry, as: name, in: self.directory.packs)
        self.index?.add(name: name, fileBytes: bytes, frames: frames)
        return (name, bytes)
    }
}
