/// The list of all that a slug consists of. Its canonical bytes are what a slug's identifier is the digest of.
struct SlugManifest: Equatable, Sendable {
    /// A piece of a file.
    struct ChunkReference: Hashable, Sendable {
        var id: ChunkID
        var length: Int
    }

    enum Kind: Equatable, Sendable {
        case directory
        case file(executable: Bool, chunks: [ChunkReference])
        case symbolicLink(target: [UInt8])
    }

    struct Entry: Equatable, Sendable {
        var path: TreePath
        var kind: Kind
    }

    var metadata: SlugMetadata
    /// In the order of ``TreePath/precedes(_:_:)``, each after its directory.
    var entries: [Entry]

    var files: Int {
        self.entries.reduce(into: 0) { if case .file = $1.kind { $0 += 1 } }
    }

    /// The chunks of all files, each as often as it is used.
    var chunks: [ChunkReference] {
        self.entries.flatMap { entry -> [ChunkReference] in
            if case .file(_, let chunks) = entry.kind { chunks } else { [] }
        }
    }

    var bytes: Int64 {
        self.entries.reduce(into: 0) { total, entry in
            guard case .file(_, let chunks) = entry.kind else { return }
            total += chunks.reduce(into: 0) { $0 += Int64($1.length) }
        }
    }
}

extension SlugManifest {
    /// What starts every manifest: its kind and the version of its format.
    static let magic: [UInt8] = Array("slipway-slug\u{0}\u{1}".utf8)

    enum Tag {
        static let directory: UInt8 = 0
        static let file: UInt8 = 1
        static let executable: UInt8 = 2
        static let symbolicLink: UInt8 = 3
    }

    /// The canonical bytes; see Docs/SlugFormat.md.
    func encoded() -> [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(64 * self.entries.count + 1024)
        Self.append(self.metadata.processTypes, to: &bytes)
        appendVarint(self.metadata.buildpacks.count, to: &bytes)
        for buildpack in self.metadata.buildpacks { appendCounted(buildpack.utf8, to: &bytes) }
        Self.append(self.metadata.labels, to: &bytes)
        appendVarint(self.entries.count, to: &bytes)
        var previous: [UInt8] = []
        for entry in self.entries {
            let path = entry.path.bytes
            let shared = zip(previous, path).prefix { $0 == $1 }.count
            appendVarint(shared, to: &bytes)
            appendCounted(path[shared...], to: &bytes)
            previous = path
            switch entry.kind {
            case .directory:
                bytes.append(Tag.directory)
            case .file(let executable, let chunks):
                bytes.append(executable ? Tag.executable : Tag.file)
                appendVarint(chunks.count, to: &bytes)
                for chunk in chunks {
                    appendVarint(chunk.length, to: &bytes)
                    chunk.id.append(to: &bytes)
                }
            case .symbolicLink(let target):
                bytes.append(Tag.symbolicLink)
                appendCounted(target, to: &bytes)
            }
        }
        return bytes
    }

    private static func append(_ dictionary: [String: String], to bytes: inout [UInt8]) {
        appendVarint(dictionary.count, to: &bytes)
        // By UTF-8 bytes: String's own order follows Unicode's tables, which change with the standard library.
        for (key, value) in dictionary.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            appendCounted(key.utf8, to: &bytes)
            appendCounted(value.utf8, to: &bytes)
        }
    }
}
