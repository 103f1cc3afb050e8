/// The uncompressed bytes of a tree's archive.
struct TarStream {
    private let maxBytes: Int64
    private let prefix: [UInt8]
    private let directories: DirectoryCursor
    private var entries: ArraySlice<TreeScanner.Entry>
    /// Headers, padding and the end, ready to be handed out.
    private var pending: ArraySlice<UInt8> = []
    private var file: (source: TreeFile, read: Int64)?
    private var total: Int64 = 0
    private var hasEnded = false

    /// - Parameters:
    ///   - root: The root of the tree.
    ///   - entries: What of it goes into the archive, each after its directory.
    ///   - prefix: The directory that the tree is in, in the archive; none if empty.
    ///   - hidesLowerLayers: Whether it is a layer that hides what those below have in that directory.
    ///   - maxBytes: What all files together may have.
    init(
        _ root: Descriptor, _ entries: [TreeScanner.Entry], prefix: [UInt8] = [], hidesLowerLayers: Bool = false,
        maxBytes: Int64
    ) {
        self.maxBytes = maxBytes
        self.directories = DirectoryCursor(root: root)
        self.entries = entries[...]
        self.prefix = prefix.isEmpty ? [] : prefix + [TreePath.slash]
        if !prefix.isEmpty { self.pending = TarHeader.encode(prefix, .directory)[...] }
        if hidesLowerLayers {
            self.pending += TarHeader.encode(
                self.prefix + LayerEntry.opaqueName, .file(executable: false, bytes: 0))
        }
    }

    /// Fills `buffer` as far as there is something; 0 is the end.
    mutating func read(into buffer: inout [UInt8]) throws(SlugStoreError) -> Int {
        var filled = 0
        while filled < buffer.count {
            if !self.pending.isEmpty {
                let piece = self.pending.prefix(buffer.count - filled)
                buffer.replaceSubrange(filled..<filled + piece.count, with: piece)
                filled += piece.count
                self.pending = self.pending.dropFirst(piece.count)
            } else if let (source, read) = self.file {
                let wanted = Int(min(Int64(buffer.count - filled), source.bytes - read))
                let count = try buffer.withMutableBytes { [filled] buffer throws(SlugStoreError) in
                    try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + wanted]))
                }
                filled += count
                self.file = (source, read + Int64(count))
                if count < wanted || read + Int64(count) == source.bytes {
                    try source.finish(bytesRead: read + Int64(count))
                    self.pending = TarHeader.padding(source.bytes)[...]
                    self.file = nil
                }
            } else if let entry = self.entries.popFirst() {
                try self.start(entry)
            } else if !self.hasEnded {
                self.hasEnded = true
                self.pending = TarHeader.end[...]
            } else {
                break
            }
        }
        return filled
    }

    private mutating func start(_ entry: TreeScanner.Entry) throws(SlugStoreError) {
        guard String(validating: entry.path.bytes, as: UTF8.self) != nil else {
            throw SlugStoreError(
                code: .unsupportedEntry,
                message: "The name \(entry.path) is not UTF-8, which archives cannot carry. Rename it.")
        }
        let path = self.prefix + entry.path.bytes
        switch entry.kind {
        case .directory:
            self.pending = TarHeader.encode(path, .directory)[...]
        case .symbolicLink(let target):
            guard String(validating: target, as: UTF8.self) != nil else {
                throw SlugStoreError(
                    code: .unsupportedEntry,
                    message: "The link \(entry.path) leads to a name that is not UTF-8, which archives cannot carry.")
            }
            self.pending = TarHeader.encode(path, .symbolicLink(target: target))[...]
        case .file:
            let source = try TreeFile(entry.path, in: try self.directories.directory(of: entry.path))
            self.total += source.bytes
            guard self.total <= self.maxBytes else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message:
                        "The tree has more than \(self.maxBytes) bytes, which is the limit, "
                        + "at \(entry.path).")
            }
            self.pending =
                TarHeader.encode(path, .file(executable: source.isExecutable, bytes: source.bytes))[...]
            self.file = (source, 0)
        }
    }
}
