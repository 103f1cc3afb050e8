import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What lies in a repository's object directory: packs, and the loose objects that a git program may have left.
struct PackDirectory {
    struct Pack: Sendable {
        /// `pack-…`, without a suffix.
        var name: String
        /// The bytes of pack and index.
        var bytes: Int
        /// When it was written, in nanoseconds since 1970.
        var time: Int
        /// A git program was told to keep it as it is.
        var isKept: Bool
    }

    let objects: FilePath
    var path: FilePath { self.objects.appending("pack") }

    init(repository: FilePath) { self.objects = repository.appending("objects") }

    /// How many packs there are.
    var count: Int { Files.list(self.path).count { $0.hasSuffix(".idx") } }

    /// The packs that are complete: those with an index.
    func packs() -> [Pack] {
        let names = Set(Files.list(self.path))
        return names.filter { $0.hasSuffix(".idx") && $0.hasPrefix("pack-") }.sorted().compactMap { index in
            let name = String(index.dropLast(4))
            let pack = self.path.appending(name + ".pack")
            guard names.contains(name + ".pack"), let bytes = Files.size(pack), let time = Files.time(pack)
            else { return nil }
            let index = Files.size(self.path.appending(index)) ?? 0
            return Pack(name: name, bytes: bytes + index, time: time, isKept: names.contains(name + ".keep"))
        }
    }

    /// The loose objects, each with its file.
    func looseObjects() -> [(oid: ObjectID, file: FilePath)] {
        var found: [(oid: ObjectID, file: FilePath)] = []
        for prefix in Files.list(self.objects) where prefix.utf8.count == 2 {
            for rest in Files.list(self.objects.appending(prefix)) {
                guard let oid = ObjectID(prefix + rest) else { continue }
                found.append((oid, self.objects.appending(prefix).appending(rest)))
            }
        }
        return found
    }

    /// Removes the index of many packs that a git program may have left, which is wrong once one of them goes.
    func removeMultiPackIndex() throws(GitReceiverError) {
        for name in Files.list(self.path) where name.hasPrefix("multi-pack-index") {
            try Files.remove(self.path.appending(name))
        }
    }

    /// Removes the list of commits that a git program may have left, which is wrong once one of them goes.
    func removeCommitGraph() throws(GitReceiverError) {
        let directory = self.objects.appending("info")
        for name in ["commit-graph", "commit-graphs"] { try Files.remove(directory.appending(name)) }
    }

    /// Removes a pack: its index first, without which nobody sees the rest.
    func remove(_ pack: String) throws(GitReceiverError) {
        for suffix in [".idx", ".pack", ".rev", ".bitmap", ".mtimes"] {
            try Files.remove(self.path.appending(pack + suffix))
        }
    }

    /// Removes what a dead process left half done, and returns how many files that were. No server may be installing a pack
    /// meanwhile, or its first half would be taken for one; what is less than an hour old may be a git program's.
    func removeLeftovers(now: Date) throws(GitReceiverError) -> Int {
        let limit = Int((now.timeIntervalSince1970 - 3600) * 1e9)
        let names = Set(Files.list(self.path))
        let leftovers = names.filter { name in
            if name.hasPrefix("tmp_") || name.hasPrefix(".tmp-") || name.hasPrefix("pack_git2_") { return true }
            return name.hasPrefix("pack-") && name.hasSuffix(".pack")
                && !names.contains(name.dropLast(5) + ".idx") && !names.contains(name.dropLast(5) + ".keep")
        }
        .map(self.path.appending).filter { Files.time($0) ?? .max < limit }
        for file in leftovers { try Files.remove(file) }
        return leftovers.count
    }
}
