extension SlugManifest {
    /// The longest path that a manifest may have, which is the longest that systems take.
    static let maxPathLength = 4095
    /// What all paths of a manifest may have together, in bytes.
    static let maxPathBytes = 256 << 20

    /// Reads canonical bytes. Anything that ``encoded()`` would not have written is refused, so that no manifest, wherever
    /// it comes from, can name a path outside of its tree, the same path twice or a file inside a file.
    init(decoding bytes: [UInt8]) throws(ByteReader.Malformed) {
        var reader = ByteReader(bytes)
        guard bytes.starts(with: Self.magic), try reader.take(Self.magic.count) == Self.magic[...] else {
            throw reader.malformed("is not a manifest of a version that is known here")
        }
        let processTypes = try Self.dictionary(from: &reader, "process types")
        var buildpacks: [String] = []
        for _ in 0..<(try reader.count(limit: 10_000, "buildpacks")) {
            buildpacks.append(try reader.string(limit: 1 << 20, "a buildpack"))
        }
        let labels = try Self.dictionary(from: &reader, "labels")
        self.metadata = SlugMetadata(processTypes: processTypes, buildpacks: buildpacks, labels: labels)

        // An entry takes at least four bytes, so the bytes bound the count.
        let count = try reader.count(limit: bytes.count / 4, "entries")
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        var directories: [TreePath] = []
        var pathBytes = 0
        for _ in 0..<count {
            let entry = try Self.entry(after: entries.last?.path, from: &reader)
            pathBytes += entry.path.bytes.count
            guard pathBytes <= Self.maxPathBytes else {
                throw reader.malformed("has paths of more than \(Self.maxPathBytes) bytes together")
            }
            let parent = entry.path.parent
            while let last = directories.last, last != parent { directories.removeLast() }
            guard directories.last == parent else {
                throw reader.malformed("has \(entry.path) outside of any directory")
            }
            if case .directory = entry.kind { directories.append(entry.path) }
            entries.append(entry)
        }
        guard reader.isAtEnd else { throw reader.malformed("goes on after its end") }
        self.entries = entries
    }

    private static func entry(
        after previous: TreePath?, from reader: inout ByteReader
    ) throws(ByteReader.Malformed) -> Entry {
        let previousBytes = previous?.bytes ?? []
        // Shared prefixes cost a manifest nothing, and memory as much as they are long.
        let shared = try reader.count(limit: previousBytes.count, "a shared prefix")
        let suffix = try reader.take(try reader.count(limit: 1 << 16, "the length of a path"))
        guard shared + suffix.count <= self.maxPathLength else {
            throw reader.malformed("has a path of \(shared + suffix.count) bytes, more than \(self.maxPathLength)")
        }
        guard let path = TreePath(checking: previousBytes[..<shared] + suffix) else {
            throw reader.malformed("has a path that leaves the tree")
        }
        if let previous {
            guard TreePath.precedes(previous, path) else { throw reader.malformed("has \(path) out of order") }
            guard shared == previousBytes.count || suffix.first != previousBytes[shared] else {
                throw reader.malformed("shares less of \(path) than it could")
            }
        }
        return Entry(path: path, kind: try Self.kind(from: &reader))
    }

    private static func kind(from reader: inout ByteReader) throws(ByteReader.Malformed) -> Kind {
        let tag = try reader.byte()
        switch tag {
        case Tag.directory:
            return .directory
        case Tag.file, Tag.executable:
            var chunks: [ChunkReference] = []
            for _ in 0..<(try reader.count(limit: 1 << 24, "chunks of a file")) {
                let length = try reader.count(limit: PackFormat.frameBytes, "the length of a chunk")
                guard length > 0 else { throw reader.malformed("has an empty chunk") }
                chunks.append(ChunkReference(id: try reader.chunkID(), length: length))
            }
            return .file(executable: tag == Tag.executable, chunks: chunks)
        case Tag.symbolicLink:
            let target = try reader.take(try reader.count(limit: 1 << 16, "the length of a link"))
            guard !target.isEmpty, !target.contains(0) else { throw reader.malformed("has a link to nothing") }
            return .symbolicLink(target: Array(target))
        default:
            throw reader.malformed("has an entry of unknown kind \(tag)")
        }
    }

    private static func dictionary(
        from reader: inout ByteReader, _ what: String
    ) throws(ByteReader.Malformed) -> [String: String] {
        var dictionary: [String: String] = [:]
        var previous: String?
        for _ in 0..<(try reader.count(limit: 100_000, what)) {
            let key = try reader.string(limit: 1 << 20, "a key of \(what)")
            if let previous, !previous.utf8.lexicographicallyPrecedes(key.utf8) {
                throw reader.malformed("has \(what) out of order")
            }
            previous = key
            let value = try reader.string(limit: 1 << 20, "a value of \(what)")
            // Keys of different bytes can be equal strings (composed and decomposed letters).
            guard dictionary.updateValue(value, forKey: key) == nil else {
                throw reader.malformed("has \(key) twice in \(what)")
            }
        }
        return dictionary
    }
}
