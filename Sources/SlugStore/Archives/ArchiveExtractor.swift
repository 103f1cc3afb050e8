public import SystemPackage

/// Extracts archives that strangers sent: tar (plain, gzip or zstd) and zip, known by their first bytes.
///
/// Nothing in an archive is trusted: a path or link that leaves the tree, a device, a set-user-ID bit, a name twice or in
/// two spellings, a bomb, damage, an archive that can be read in two ways: each is refused with what and where. The tree is made under another name beside its
/// destination and renamed when it is complete and checked, so a refused archive leaves nothing behind.
///
/// Of permissions only the executable bit is taken, of owners nothing; modification times are kept for build tools.
public struct ArchiveExtractor: Sendable {
    /// How much an archive may hold, before it is refused.
    public struct Limits: Sendable, Hashable {
        /// The size of all files together in bytes. Default: 4 GiB.
        public var maxBytes: Int64 = 4 << 30
        /// Files, directories and links together. Default: 200,000.
        public var maxEntries = 200_000
        /// How deep directories may be nested. Default: 64.
        public var maxDepth = 64
        /// The length of a path or a link's target in bytes. Default: 4,095.
        public var maxPathLength = 4095
        /// The length of all paths and targets of links together in bytes: they are held in memory while an archive is extracted.
        /// Default: 64 MiB.
        public var maxPathBytes = 64 << 20
        /// The size of the archive as it comes in bytes. Default: 4 GiB.
        public var maxArchiveBytes: Int64 = 4 << 30
        /// The length of one name, a directory's or a file's, in bytes. Default: 255.
        public var maxNameLength = 255
        /// What may come before the content of one entry of a tar archive in bytes. Default: 1 MiB.
        public var maxHeaderBytes = 1 << 20
        /// The window of a zstd stream, which has to be held in memory while it is read, in bytes: a power of 2. Default: 32 MiB.
        public var maxWindowBytes = 32 << 20
        /// How many bytes one byte of the archive may become, once more than ``ratioGraceBytes`` have. Default: 200.
        public var maxRatio = 200
        /// What may be extracted before the ratio counts, in bytes. Default: 64 MiB.
        public var ratioGraceBytes: Int64 = 64 << 20

        /// The defaults.
        public init() {}
    }

    /// How much an archive may hold.
    public var limits: Limits
    /// Whether a directory that everything else is in is left out, as in archives that a code host makes of a branch.
    public var stripsTopLevelDirectory: Bool

    /// Makes an extractor.
    public init(limits: Limits = Limits(), stripsTopLevelDirectory: Bool = false) {
        self.limits = limits
        self.stripsTopLevelDirectory = stripsTopLevelDirectory
    }

    /// Extracts an archive while it arrives, for example from a request's body. Held in memory are about 1 MiB of it, the
    /// window of a zstd stream, and the paths of its tree, some times over; a source that is faster than the disk is made to wait. What a zip archive holds is said at its
    /// end, so it is first kept in a nameless file beside the destination.
    /// - Parameters:
    ///   - archive: The bytes, in pieces of any size. They are read to the end.
    ///   - directory: Where the tree goes: a path that does not exist, in a directory that does, or an empty directory.
    /// - Throws: ``SlugStoreError/Code/unsafeArchive``, ``SlugStoreError/Code/invalidArchive``,
    ///   ``SlugStoreError/Code/limitExceeded``, ``SlugStoreError/Code/streamFailed`` when the source throws, among others.
    public func extract<S: AsyncSequence & Sendable>(
        _ archive: S, into directory: FilePath
    ) async throws(SlugStoreError) -> ArchiveReport where S.Element == [UInt8] {
        let channel = ByteChannel(capacity: 1 << 20)
        let result: Result<ArchiveReport, SlugStoreError> = await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await Self.pump(archive, into: channel) }
                let result: Result<ArchiveReport, SlugStoreError>
                do throws(SlugStoreError) {
                    result = .success(
                        try await self.extract(into: directory, file: nil) { () throws(SlugStoreError) in
                            try channel.receive()
                        })
                } catch {
                    result = .failure(error)
                }
                channel.close()
                group.cancelAll()
                return result
            }
        } onCancel: {
            // The source may not care that the task is cancelled; the thread that waits for its bytes must not mind.
            channel.finish(.cancelled)
        }
        return try result.get()
    }

    /// Extracts an archive from a file.
    /// - Parameters:
    ///   - path: The archive.
    ///   - directory: Where the tree goes: a path that does not exist, in a directory that does, or an empty directory.
    /// - Throws: As ``extract(_:into:)``.
    public func extract(
        archiveAt path: FilePath, into directory: FilePath
    ) async throws(SlugStoreError) -> ArchiveReport {
        let file = try Descriptor.file(at: path)
        return try await self.extract(into: directory, file: file) { () throws(SlugStoreError) in
            var bytes = [UInt8](repeating: 0, count: 256 << 10)
            let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
                try file.read(into: buffer, "Reading the archive \(path)")
            }
            return count == 0 ? nil : Array(bytes[..<count])
        }
    }

    private func extract(
        into directory: FilePath, file: Descriptor?, from source: @escaping ArchiveSource.Next
    ) async throws(SlugStoreError) -> ArchiveReport {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try ArchiveExtraction(extractor: self, source: source, file: file, cancellation: cancellation)
                .run(into: directory)
        }
    }

    private static func pump<S: AsyncSequence & Sendable>(
        _ archive: S, into channel: ByteChannel
    ) async where S.Element == [UInt8] {
        do {
            for try await bytes in archive where !bytes.isEmpty {
                guard await channel.send(bytes) else { return }
            }
            // Some sequences just end when their task is cancelled: half an archive is then not the sender's fault.
            channel.finish(Task.isCancelled ? .cancelled : nil)
        } catch {
            channel.finish(
                error is CancellationError
                    ? .cancelled
                    : SlugStoreError(code: .streamFailed, message: "The archive could not be read on.", cause: error))
        }
    }
}
