/// How a manifest is stored: cut into small chunks, and the list of those cut in the same way, level by level, until the
/// list is short enough for a record. A release that changes one file stores one or two small chunks of each level anew.
struct ManifestTree: Equatable, Sendable {
    /// How many chunks a record names at most.
    static let maxRoots = 4
    /// More levels than any manifest that a repository takes could need.
    static let maxLevels = 8
    /// The size of a manifest at most.
    static let maxBytes = 256 << 20
    /// The size of each list at most: more than what a manifest of the largest size has.
    static let maxListBytes = 64 << 20

    /// The chunks that make up the topmost list; with no levels, the manifest itself.
    var roots: [SlugManifest.ChunkReference]
    /// How many lists are between the roots and the manifest.
    var levels: Int

    /// Cuts a manifest's bytes, and lists until few chunks are left.
    /// - Parameter store: Takes every chunk, of all levels.
    init(
        _ manifest: [UInt8],
        store: (SlugManifest.ChunkReference, UnsafeRawBufferPointer) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) {
        self.roots = try Self.cut(manifest, store)
        self.levels = 0
        while self.roots.count > Self.maxRoots {
            self.roots = try Self.cut(Self.list(self.roots), store)
            self.levels += 1
        }
    }

    /// What a record says.
    init(roots: [SlugManifest.ChunkReference], levels: Int) {
        self.roots = roots
        self.levels = levels
    }

    /// The manifest's bytes, and every chunk that they are stored in, of all levels.
    func read(
        _ chunk: (SlugManifest.ChunkReference, inout [UInt8]) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) -> (bytes: [UInt8], chunks: [SlugManifest.ChunkReference]) {
        var (chunks, level) = (self.roots, self.roots)
        for _ in 0..<self.levels {
            level = try Self.expand(level, chunk)
            chunks += level
        }
        return (try Self.join(level, limit: Self.maxBytes, chunk), chunks)
    }

    /// The chunks that a list names, which is in these chunks.
    static func expand(
        _ level: [SlugManifest.ChunkReference],
        _ chunk: (SlugManifest.ChunkReference, inout [UInt8]) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) -> [SlugManifest.ChunkReference] {
        let list = try Self.join(level, limit: Self.maxListBytes, chunk)
        do throws(ByteReader.Malformed) {
            return try Self.decode(list)
        } catch {
            throw .corrupted("The list of a manifest's chunks \(error.what) (at byte \(error.offset)).")
        }
    }

    private static func cut(
        _ bytes: [UInt8],
        _ store: (SlugManifest.ChunkReference, UnsafeRawBufferPointer) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) -> [SlugManifest.ChunkReference] {
        var chunks: [SlugManifest.ChunkReference] = []
        try bytes.withBytes { bytes throws(SlugStoreError) in
            var rest = bytes
            while !rest.isEmpty {
                let length = Chunker.manifests.firstCut(in: rest)
                let piece = UnsafeRawBufferPointer(rebasing: rest[..<length])
                let chunk = SlugManifest.ChunkReference(id: ChunkID(of: piece), length: length)
                try store(chunk, piece)
                chunks.append(chunk)
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
        }
        return chunks
    }

    private static func join(
        _ chunks: [SlugManifest.ChunkReference], limit: Int,
        _ read: (SlugManifest.ChunkReference, inout [UInt8]) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        for chunk in chunks {
            guard chunk.length <= limit - bytes.count else {
                throw .corrupted("The list of a slug's files, or of its chunks, has over \(limit) bytes.")
            }
            try read(chunk, &bytes)
        }
        return bytes
    }

    /// Length and digest of each.
    static func list(_ chunks: [SlugManifest.ChunkReference]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(chunks.count * (ChunkID.byteCount + 2))
        for chunk in chunks {
            appendVarint(chunk.length, to: &bytes)
            chunk.id.append(to: &bytes)
        }
        return bytes
    }

    private static func decode(_ bytes: [UInt8]) throws(ByteReader.Malformed) -> [SlugManifest.ChunkReference] {
        var reader = ByteReader(bytes)
        var chunks: [SlugManifest.ChunkReference] = []
        while !reader.isAtEnd {
            let length = try reader.count(limit: Chunker.manifests.maximum, "the length of a chunk")
            guard length > 0 else { throw reader.malformed("has an empty chunk") }
            chunks.append(SlugManifest.ChunkReference(id: try reader.chunkID(), length: length))
        }
        return chunks
    }
}
