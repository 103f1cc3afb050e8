import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes a manifest's tree into an empty directory that nobody else knows, on several threads.
///
/// Files are written in the order in which their chunks are stored, those that begin in one frame by one thread, so that every
/// frame is decompressed about once.
/// Links come after all files: while files are written, there is no link that a write could follow.
final class TreeWriter: Sendable {
    /// What one thread takes at most. To make so many files takes longer than to decompress their frame once more.
    private static let filesAtOnce = 512

    private let manifest: SlugManifest
    private let root: Descriptor
    private let index: ChunkIndex
    private let packs: Descriptor
    private let workers: Int
    private let cancellation: Cancellation
    /// The positions of the files in the manifest, in the order in which they are written.
    private let order: [Int]
    /// What is written by one thread, as ranges of ``order``.
    private let batches: [Range<Int>]
    private let next = Atomic(0)

    init(
        _ manifest: SlugManifest, into root: Descriptor, index: ChunkIndex, packs: Descriptor, workers: Int,
        cancellation: Cancellation
    ) {
        self.manifest = manifest
        self.root = root
        self.index = index
        self.packs = packs
        self.workers = workers
        self.cancellation = cancellation
        var order: [(place: ChunkIndex.Place, position: Int)] = []
        for (position, entry) in manifest.entries.enumerated() {
            guard case .file(_, let chunks) = entry.kind else { continue }
            order.append((chunks.first.flatMap { index.location(of: $0.id)?.place } ?? .start, position))
        }
        order.sort { ($0.place, $0.position) < ($1.place, $1.position) }
        self.order = order.map(\.position)
        var batches: [Range<Int>] = []
        var start = 0
        for end in 1..<max(order.count + 1, 1)
        where end == order.count || end - start == Self.filesAtOnce
            || !order[end].place.isSameFrame(as: order[start].place)
        {
            batches.append(start..<end)
            start = end
        }
        self.batches = batches
    }

    /// Writes all of it. Blocks. After an error, the directory holds part of the tree.
    func run() throws(SlugStoreError) {
        let directories = DirectoryCursor(root: self.root)
        for entry in self.manifest.entries {
            guard case .directory = entry.kind else { continue }
            let parent = try directories.directory(of: entry.path)
            try parent.makeDirectory(entry.path.name, mode: 0o755, "Making the directory \(entry.path)")
        }
        try BlockingWork.parallel(self.workers) { stop throws(SlugStoreError) in try self.work(stop) }
        for entry in self.manifest.entries {
            guard case .symbolicLink(let target) = entry.kind else { continue }
            let parent = try directories.directory(of: entry.path)
            try parent.makeLink(entry.path.name, to: target, "Making the link \(entry.path)")
            try parent.setTime(of: entry.path.name, Self.time, "Setting the time of the link \(entry.path)")
        }
        // Last of all, and from the leaves to the root: everything above has changed the directories' times.
        for entry in self.manifest.entries.reversed() {
            guard case .directory = entry.kind else { continue }
            try self.finish(try directories.directory(at: entry.path), 0o755, "the directory \(entry.path)")
        }
        try self.finish(self.root, 0o755, "the root of the tree")
    }

    /// The time of everything in a tree, so that trees are the same everywhere: 1 January 1980, the first that zip files
    /// (Python's wheels and Java's archives are some) can express.
    private static let time = timespec(tv_sec: 315_532_800, tv_nsec: 0)

    private func finish(_ entry: Descriptor, _ mode: mode_t, _ what: @autoclosure () -> String) throws(SlugStoreError) {
        // Explicitly, since the process's umask has had its say when the entry was made.
        try entry.setMode(mode, "Setting the mode of \(what())")
        try entry.setTime(Self.time, "Setting the time of \(what())")
    }

    private func work(_ stop: Cancellation) throws(SlugStoreError) {
        let directories = DirectoryCursor(root: self.root)
        let reader = try ChunkReader(index: self.index, packs: self.packs)
        while true {
            let next = self.next.add(1, ordering: .relaxed).oldValue
            guard next < self.batches.count else { return }
            for position in self.order[self.batches[next]] {
                guard case .file(let isExecutable, let chunks) = self.manifest.entries[position].kind else { continue }
                if stop.isCancelled { return }
                try self.cancellation.check()
                let path = self.manifest.entries[position].path
                let mode: mode_t = isExecutable ? 0o755 : 0o644
                let file = try directories.directory(of: path).open(
                    path.name, O_WRONLY | O_CREAT | O_EXCL, mode: mode, "Making the file \(path)")
                var offset: UInt64 = 0
                for chunk in chunks {
                    try reader.withChunk(chunk, for: "the file \(path)") { bytes throws(SlugStoreError) in
                        try file.write(bytes, at: offset, "Writing the file \(path)")
                    }
                    offset += UInt64(chunk.length)
                }
                try self.finish(file, mode, "the file \(path)")
            }
        }
    }
}

extension ChunkIndex {
    /// A location as something to sort by.
    struct Place: Comparable {
        var slot: UInt32
        var frame: UInt32
        var offset: UInt32

        static let start = Place(slot: 0, frame: 0, offset: 0)

        func isSameFrame(as other: Place) -> Bool { (self.slot, self.frame) == (other.slot, other.frame) }

        static func < (lhs: Place, rhs: Place) -> Bool {
            (lhs.slot, lhs.frame, lhs.offset) < (rhs.slot, rhs.frame, rhs.offset)
        }
    }
}

extension ChunkIndex.Location {
    var place: ChunkIndex.Place { ChunkIndex.Place(slot: self.slot, frame: self.frame, offset: self.offset) }
}
