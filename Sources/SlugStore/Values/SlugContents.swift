public import SystemPackage

/// One file, directory or link of a slug.
public struct SlugEntry: Sendable, Hashable {
    /// What an entry is.
    public enum Kind: Sendable, Hashable {
        /// A directory, with or without something in it.
        case directory
        /// A file: its size in bytes, whether it may be executed, and the SHA-256 of its list of chunks as the manifest has it.
        /// Equal contents have equal digests in every slug.
        case file(bytes: Int64, isExecutable: Bool, digest: [UInt8])
        /// A symbolic link and the bytes of where it leads, which need not exist nor be UTF-8.
        case symbolicLink(target: [UInt8])
    }

    /// Relative to the root of the tree. Bytes that are not UTF-8 are kept as they are.
    public var path: FilePath
    /// What it is.
    public var kind: Kind

    /// Makes an entry.
    public init(path: FilePath, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// The size of a file in bytes; 0 of anything else.
    public var bytes: Int64 {
        if case .file(let bytes, _, _) = self.kind { bytes } else { 0 }
    }
}

/// What one slug has that another has not: what a release changed.
public struct SlugDifference: Sendable, Hashable {
    /// An entry that both have, not in the same way.
    public struct Change: Sendable, Hashable {
        /// As it was.
        public var old: SlugEntry
        /// As it is.
        public var new: SlugEntry

        /// Makes a change.
        public init(old: SlugEntry, new: SlugEntry) {
            self.old = old
            self.new = new
        }
    }

    /// What only the new one has, in the order of paths.
    public var added: [SlugEntry] = []
    /// What only the old one had, in the order of paths.
    public var removed: [SlugEntry] = []
    /// What both have, differently, in the order of paths.
    public var changed: [Change] = []

    /// No difference.
    public init() {}

    /// Compares what two slugs hold; both in the order of a slug's contents.
    public init(from old: [SlugEntry], to new: [SlugEntry]) {
        let before = Dictionary(old.map { ($0.path, $0) }) { first, _ in first }
        let after = Set(new.map(\.path))
        self.removed = old.filter { !after.contains($0.path) }
        for entry in new {
            if let earlier = before[entry.path] {
                if earlier.kind != entry.kind { self.changed.append(Change(old: earlier, new: entry)) }
            } else {
                self.added.append(entry)
            }
        }
    }

    /// Whether the slugs hold the same.
    public var isEmpty: Bool { self.added.isEmpty && self.removed.isEmpty && self.changed.isEmpty }
    /// The size of the files that are new or changed, as they are now, in bytes.
    public var bytesIn: Int64 {
        self.added.reduce(0) { $0 + $1.bytes } + self.changed.reduce(0) { $0 + $1.new.bytes }
    }
    /// The size of the files that are gone or changed, as they were, in bytes.
    public var bytesOut: Int64 {
        self.removed.reduce(0) { $0 + $1.bytes } + self.changed.reduce(0) { $0 + $1.old.bytes }
    }
}

extension SlugManifest {
    /// What anybody may know of the entries.
    var contents: [SlugEntry] {
        self.entries.map { entry in
            let kind: SlugEntry.Kind =
                switch entry.kind {
                case .directory: .directory
                case .symbolicLink(let target): .symbolicLink(target: target)
                case .file(let executable, let chunks):
                    .file(
                        bytes: chunks.reduce(0) { $0 + Int64($1.length) }, isExecutable: executable,
                        digest: ChunkID(of: ManifestTree.list(chunks)).bytes)
                }
            return SlugEntry(path: FilePath(bytes: entry.path.bytes), kind: kind)
        }
    }
}

extension FilePath {
    fileprivate init(bytes: [UInt8]) {
        self = (bytes + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CInterop.PlatformChar.self) { bytes in
                // There is at least the terminating zero.
                FilePath(platformString: bytes.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}
