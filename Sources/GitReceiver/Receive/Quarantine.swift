import Logging
import Synchronization
import SystemPackage

/// The directory where the objects of one push wait for the verdict.
///
/// It lies in the repository's object directory under the name that git gives its own (`git gc` knows it), holds a lock
/// that tells a living push from a dead one, and is removed whatever happens: by ``discard()`` as a rule, by `deinit` if
/// a response was dropped, by the sweep of the next start if the process was killed.
final class Quarantine: Sendable {
    static let lockFile = "lock"

    let path: FilePath
    private let repository: FilePath
    private let lock: Mutex<HeldLock?>
    private let names = Mutex<[String]>([])

    /// Makes the directory. Blocks.
    init(in repository: FilePath) throws(GitReceiverError) {
        self.repository = repository
        var attempts = 10
        while true {
            attempts -= 1
            let path = try Files.temporaryDirectory(
                in: repository.appending("objects"), prefix: RepositoryStore.quarantinePrefix)
            do throws(GitReceiverError) {
                if let lock = try HeldLock(path.appending(Self.lockFile)) {
                    try Files.makeDirectory(path.appending("pack"))
                    self.path = path
                    self.lock = Mutex(lock)
                    return
                }
            } catch {
                try? Files.remove(path)
                guard error.code == .notFound, attempts > 0 else { throw error }
                continue
            }
            // A sweep has met the directory before its lock was taken, and is removing it.
            guard attempts > 0 else {
                throw GitReceiverError(.busy, "Another process is cleaning the repository up. Try again.")
            }
        }
    }

    deinit { try? Files.remove(self.path) }

    /// The packs that the quarantine holds or held, without their suffixes.
    var installed: [String] { self.names.withLock { $0 } }

    /// Makes the objects part of the repository: the pack first, its index, which makes it visible, last. Blocks.
    ///
    /// A pack is named by its objects. If one of that name is there already it stays, for its bytes may be others, and
    /// somebody may be reading them.
    func install() throws(GitReceiverError) {
        let source = self.path.appending("pack")
        let target = self.repository.appending("objects").appending("pack")
        let all = try Files.entries(source).filter { $0.hasPrefix("pack-") }
        self.names.withLock { $0 = all.filter { $0.hasSuffix(".idx") }.map { String($0.dropLast(4)) } }
        let names = all.filter { name in
            let stem = name.prefix { $0 != "." }
            return !Files.exists(target.appending("\(stem).idx"))
        }
        for suffix in [".pack", ".idx"] {
            for name in names where name.hasSuffix(suffix) {
                try Files.rename(source.appending(name), to: target.appending(name))
            }
        }
        try Files.sync(target)
    }

    /// Removes what is left. Blocks; calling it twice is harmless.
    func discard() throws(GitReceiverError) {
        try Files.remove(self.path)
        self.lock.withLock { $0 = nil }
    }
}
