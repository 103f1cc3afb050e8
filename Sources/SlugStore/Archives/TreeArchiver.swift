public import SystemPackage

/// Packs a directory into a `.tar`, `.tar.gz` or `.tar.zst`, for example to upload it to be built.
///
/// The archive is deterministic: equal trees give equal bytes (with the same version of zlib or libzstd). Entries are sorted, have
/// one fixed time, no owner, and no permissions but the executable bit. Links are packed as links and never followed.
public struct TreeArchiver: Sendable {
    /// How an archive is compressed.
    public struct Compression: Sendable, Hashable {
        enum Kind: Hashable { case none, gzip(level: Int), zstd(level: Int) }
        let kind: Kind

        /// Not at all: a plain `.tar`.
        public static let none = Compression(kind: .none)
        /// A `.tar.gz`, which everything reads. Levels are 1 (fast) to 9 (small).
        public static func gzip(level: Int = 6) -> Compression { Compression(kind: .gzip(level: level)) }
        /// A `.tar.zst`: several times as fast as gzip, and smaller. Levels are 1 (fast) to 19 (small).
        public static func zstd(level: Int = 3) -> Compression { Compression(kind: .zstd(level: level)) }

        /// What the name of an archive says: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.tzst`; `nil` for any other.
        public init?(fileName: String) {
            let kinds: [(String, Compression)] = [
                (".tar", .none), (".tar.gz", .gzip()), (".tgz", .gzip()), (".tar.zst", .zstd()), (".tzst", .zstd()),
            ]
            guard let found = kinds.first(where: { fileName.lowercased().hasSuffix($0.0) }) else { return nil }
            self = found.1
        }

        private init(kind: Kind) { self.kind = kind }
    }

    /// How the archive is compressed. Default: zstd.
    public var compression: Compression
    /// What the tree may be at most.
    public var limits: TreeLimits

    /// Makes an archiver.
    public init(compression: Compression = .zstd(), limits: TreeLimits = TreeLimits()) {
        self.compression = compression
        self.limits = limits
    }

    /// The archive of the tree at `tree`, made while it is read: nothing happens before, and no more than a few hundred KiB
    /// are held.
    /// - Parameters:
    ///   - tree: The directory.
    ///   - excludes: Leaves out the entries for which it returns true; of a directory, all that is in it. It is given
    ///     paths relative to `tree`, such as `node_modules/left-pad`.
    public func archive(
        _ tree: FilePath, excluding excludes: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)? = nil
    ) -> TreeArchive {
        TreeArchive(archiver: self, tree: tree, excludes: excludes)
    }

    /// Writes the archive of the tree at `tree` into a file, which appears when it is complete, in place of one that is there.
    /// - Returns: The size of the archive in bytes.
    /// - Throws: As iterating over a ``TreeArchive``; ``SlugStoreError/Code/noSpace``.
    public func write(_ tree: FilePath, to file: FilePath) async throws(SlugStoreError) -> Int64 {
        let archive = self.archive(tree)
        return try await BlockingWork.run { cancellation throws(SlugStoreError) in
            let producer = ArchiveProducer(archive)
            let output = try NewFile(at: file)
            output.removeLeftovers()
            while let bytes = try producer.next(cancellation) { try output.append(bytes) }
            try output.publish()
            return output.bytes
        }
    }
}

/// The bytes of an archive of a tree, in pieces of up to 256 KiB.
///
/// Iterating throws ``SlugStoreError``: ``SlugStoreError/Code/unsupportedEntry`` for sockets, devices, FIFOs and for names
/// that are not UTF-8, ``SlugStoreError/Code/changedWhileReading``, ``SlugStoreError/Code/limitExceeded``,
/// ``SlugStoreError/Code/cancelled``. Every iterator packs the tree anew.
public struct TreeArchive: AsyncSequence, Sendable {
    let archiver: TreeArchiver
    let tree: FilePath
    let excludes: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)?

    /// Starts to pack.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(producer: ArchiveProducer(self))
    }

    /// Packs, as far as somebody asks for more.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let producer: ArchiveProducer

        /// The next bytes, never none; `nil` at the end.
        public mutating func next() async throws(SlugStoreError) -> [UInt8]? {
            let producer = self.producer
            return try await BlockingWork.run { cancellation throws(SlugStoreError) in try producer.next(cancellation) }
        }

        /// The next bytes, never none; `nil` at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(SlugStoreError) -> [UInt8]? {
            let producer = self.producer
            return try await BlockingWork.run { cancellation throws(SlugStoreError) in try producer.next(cancellation) }
        }
    }
}
