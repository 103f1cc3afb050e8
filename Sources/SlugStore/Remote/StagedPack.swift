import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A pack in a file of its own, to be sent away. The file goes with this object.
final class StagedPack: Sendable {
    let path: FilePath
    let digest: ChunkID
    let frames: [PackFormat.Frame]
    let bytes: Int64

    init(path: FilePath, digest: ChunkID, frames: [PackFormat.Frame], bytes: Int64) {
        self.path = path
        self.digest = digest
        self.frames = frames
        self.bytes = bytes
    }

    // One that stays is swept when the repository is opened the next time.
    deinit { unlink(self.path.string) }
}

extension LocalSlugRepository {
    /// Packs that hold just these chunks, in `staging`: a pack of this repository that holds nothing else as it is, by
    /// another name of the same file, and one with all the others.
    func stage(
        _ chunks: [SlugManifest.ChunkReference], in staging: FilePath, names: TemporaryNames
    ) async throws(SlugStoreError) -> [StagedPack] {
        guard !chunks.isEmpty else { return [] }
        return try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
            let wanted = Set(chunks.map(\.id))
            var staged: [StagedPack] = []
            var done: Set<ChunkID> = []
            for name in Set(chunks.compactMap { self.index.packName(of: $0.id) }).sorted() {
                let (frames, bytes) = try directory.readPackIndex(name)
                guard frames.allSatisfy({ $0.chunks.allSatisfy { wanted.contains($0.id) && !done.contains($0.id) } })
                else { continue }
                guard let digest = ChunkID(hex: String(name.dropLast(PackFormat.fileExtension.count))) else { continue }
                // Everybody will rely on it: a damaged one stays here, and what is sound of it is sent in another.
                var isSound = true
                _ = try PackCheck(name, in: directory).read(from: 0, limit: .max, only: { _ in true }, cancellation) {
                    _ in isSound = false
                }
                guard isSound else { continue }
                let path = staging.appending(names.next())
                let status = withCString(name.utf8) { name in
                    linkat(directory.packs.raw, name, AT_FDCWD, path.string, 0)
                }
                guard status == 0 else { throw .systemCall("Staging the pack \(name)") }
                staged.append(StagedPack(path: path, digest: digest, frames: frames, bytes: bytes))
                for frame in frames { done.formUnion(frame.chunks.lazy.map(\.id)) }
            }
            let rest = chunks.filter { !done.contains($0.id) }
            if !rest.isEmpty {
                staged.append(
                    try self.stagePack(of: rest, directory, at: staging.appending(names.next()), cancellation))
            }
            return staged
        }
    }

    private func stagePack(
        of chunks: [SlugManifest.ChunkReference], _ directory: RepositoryDirectory, at path: FilePath,
        _ cancellation: Cancellation
    ) throws(SlugStoreError) -> StagedPack {
        let reader = try ChunkReader(index: self.index, packs: directory.packs)
        let compressor = try ZstdCompressor(level: self.configuration.compressionLevel)
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600, "Staging a pack")
        let writer = try PackWriter(
            file: file, name: path.lastComponent?.string ?? "", reserve: self.configuration.reserve)
        var frame: [UInt8] = []
        var held: [SlugManifest.ChunkReference] = []
        var compressed = [UInt8](repeating: 0, count: ZstdCompressor.bound(PackFormat.frameBytes))
        func flush() throws(SlugStoreError) {
            guard !held.isEmpty else { return }
            let count = try compressed.withMutableBytes { target throws(SlugStoreError) in
                try frame.withBytes { bytes throws(SlugStoreError) in try compressor.compress(bytes, into: target) }
            }
            try compressed.withBytes { bytes throws(SlugStoreError) in
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]), chunks: held)
            }
            frame.removeAll(keepingCapacity: true)
            held.removeAll(keepingCapacity: true)
        }
        for chunk in chunks {
            try cancellation.check()
            if frame.count + chunk.length > PackFormat.frameBytes { try flush() }
            try reader.withChunk(chunk, for: "what is sent to the remote") { frame.append(contentsOf: $0) }
            held.append(chunk)
        }
        try flush()
        let (digest, frames, bytes) = try writer.finish()
        return StagedPack(path: path, digest: digest, frames: frames, bytes: bytes)
    }
}

extension ChunkIndex {
    /// The pack that a chunk is read from.
    func packName(of chunk: ChunkID) -> String? { self.location(of: chunk).flatMap { self.pack($0.slot)?.name } }
}
