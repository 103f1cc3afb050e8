import Logging
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension LocalSlugRepository {
    /// Makes the slug's tree below `trees` in the repository, or finds it there.
    public func materialise(_ id: SlugID) async throws(SlugStoreError) -> MaterialisedSlug {
        if let path = try self.trustedTree(of: id) { return MaterialisedSlug(id: id, path: path) }
        // Concurrent calls wait here, and all but the first find the tree.
        return try await self.withTree(of: id) { () async throws(SlugStoreError) in
            let path = try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
                if let path = try self.trustedTree(of: id) { return path }
                if self.configuration.signatures != .none {
                    guard try directory.hasRecord(of: id) else { throw directory.notFound(id) }
                    try self.configuration.signatures.check(id, signatures: try directory.signatures(of: id))
                }
                if try !self.isSound(id, in: directory, cancellation) {
                    try self.makeTree(of: id, in: directory, cancellation)
                }
                try directory.vouch(forTree: id.hex)
                return self.trust(id)
            }
            return MaterialisedSlug(id: id, path: path)
        }
    }

    /// Whether the tree is there and nothing has happened to it.
    ///
    /// A tree is not written through to the disk when it is made: it can be made again, and whoever deploys should not wait
    /// for everything that the machine has yet to write. So after a power failure some of it may be missing, and a tree from
    /// before the machine's last start is read and compared before it is trusted again.
    private func isSound(
        _ id: SlugID, in directory: RepositoryDirectory, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> Bool {
        guard try directory.trees.status(of: id.hex.utf8, "Looking for the tree of \(id)") != nil else { return false }
        if directory.isVouched(forTree: id.hex) { return true }
        let metadata = try directory.readRecord(of: id).summary.metadata
        do throws(SlugStoreError) {
            let root = try directory.trees.open(id.hex.utf8, O_RDONLY | O_DIRECTORY, "Opening the tree of \(id)")
            if try self.identify(root, metadata, cancellation) == id { return true }
        } catch {
            guard error.code != .cancelled else { throw error }
        }
        self.logger.info("a tree was damaged and is made again", metadata: ["slug.id": "\(id)"])
        // From a tree of before the machine's last start, nothing runs; a check may have found damage in one that is in use.
        let note = RepositoryDirectory.voucher(id.hex)
        if try directory.trees.status(of: note.utf8, "Looking for the note beside the tree of \(id)") != nil {
            try directory.removeTree(id.hex)
        } else {
            try directory.setTreeAside(id.hex)
        }
        return false
    }

    private func makeTree(
        of id: SlugID, in directory: RepositoryDirectory, _ cancellation: Cancellation
    ) throws(SlugStoreError) {
        let record = try directory.readRecord(of: id)
        let manifest = try directory.readManifest(
            record, reader: try ChunkReader(index: self.index, packs: directory.packs))
        // Each file ends in a block of its own.
        try self.configuration.reserve.check(
            manifest.bytes + Int64(manifest.entries.count) * 4096, on: directory.trees,
            "the tree of \(id) (\(manifest.bytes) bytes in \(manifest.files) files)")
        let tree = try directory.makeTemporaryDirectory()
        try TreeWriter(
            manifest, into: tree.descriptor, index: self.index, packs: directory.packs,
            workers: self.configuration.workers, cancellation: cancellation
        ).run()
        // If another process has made the same tree meanwhile, that one stays and ours goes.
        try directory.publishTree(tree, as: id.hex)
        // A process that removed the slug meanwhile has removed its record first and looked for a tree after that: either
        // it has found ours, or we find the record gone.
        guard try directory.hasRecord(of: id) else {
            try directory.removeTree(id.hex)
            throw SlugStoreError(code: .notFound, message: "The slug \(id) was removed while its tree was made.")
        }
    }
}
