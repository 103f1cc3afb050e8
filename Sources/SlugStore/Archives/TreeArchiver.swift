public import SystemPackage

/// Packs a directory into a `.tar.zst`, for example to upload it to be built.
///
/// The archive is deterministic: equal trees give equal bytes (with the same version of libzstd). Entries are sorted, have
/// one fixed time, no owner, and no permissions but the executable bit. Links are packed as links and never followed.
public struct TreeArchiver: Sendable {
    /// The zstd level, 1 to 19. Default: 3.
    public var compressionLevel: Int
    /// What the tree may be at most.
    public var limits: TreeLimits

    /// Makes an archiver.
    public init(compressionLevel: Int = 3, limits: TreeLimits = TreeLimits()) {
        self.compressionLevel = compressionLevel
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
