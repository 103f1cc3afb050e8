import CLibgit2
import Logging
import Synchronization
import SystemPackage

/// The directory of repositories: making, moving and removing them, and cleaning up after a dead process.
final class RepositoryStore: Sendable {
    static let quarantinePrefix = "tmp_objdir-incoming-"
    private static let creatingPrefix = ".creating-"
    private static let removingPrefix = ".removing-"
    /// Held while references change, so that whoever holds it knows that other lock files are leftovers.
    private static let lockFile = "receive.lock"

    let root: FilePath
    private let defaultBranch: String
    private let logger: Logger
    private let swept = Mutex<Set<String>>([])

    init(root: FilePath, defaultBranch: String, logger: Logger) {
        self.root = root
        self.defaultBranch = defaultBranch
        self.logger = logger
    }

    func exists(_ name: RepositoryName) -> Bool { Files.exists(name.path(in: self.root).appending("HEAD")) }

    /// The path of a repository, after its leftovers are swept. Blocks.
    func path(of name: RepositoryName) throws(GitReceiverError) -> FilePath {
        guard self.exists(name) else {
            throw GitReceiverError(.notFound, "There is no repository \(name.text). Create the application first.")
        }
        let path = name.path(in: self.root)
        // The others wait for the sweep, or it could take what they begin for a leftover.
        try self.swept.withLock { swept throws(GitReceiverError) in
            if swept.insert(name.text).inserted { _ = try self.sweep(path, name: name) }
        }
        return path
    }

    /// Makes an empty repository, visible only once it is complete. Blocks.
    func create(_ name: RepositoryName) throws(GitReceiverError) {
        try Files.createDirectory(self.root)
        self.sweepRoot()
        guard !self.exists(name) else {
            throw GitReceiverError(.alreadyExists, "The repository \(name.text) exists already.")
        }
        let path = try Files.temporaryDirectory(in: self.root, prefix: Self.creatingPrefix)
        do throws(GitReceiverError) {
            let lock = try FileLock(path.appending(Self.lockFile), waits: true)
            try self.initialise(path)
            try Files.rename(path, to: name.path(in: self.root))
            try Files.sync(self.root)
            _ = consume lock
        } catch {
            try? Files.remove(path)
            throw error
        }
        self.swept.withLock { _ = $0.insert(name.text) }
    }

    private func initialise(_ path: FilePath) throws(GitReceiverError) {
        var pointer: OpaquePointer?
        var options = git_repository_init_options()
        let version = UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION)
        try check(git_repository_init_options_init(&options, version), "The repository could not be created.")
        options.flags = GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_MKDIR.rawValue
        let code = self.defaultBranch.withCString { branch in
            options.initial_head = branch
            return git_repository_init_ext(&pointer, path.string, &options)
        }
        try check(code, "The repository could not be created.")
        git_repository_free(pointer)
    }

    /// Removes a repository; it is gone for everybody before its files are. Blocks.
    func remove(_ name: RepositoryName) throws(GitReceiverError) {
        guard self.exists(name) else { throw GitReceiverError(.notFound, "There is no repository \(name.text).") }
        let grave = try Files.temporaryDirectory(in: self.root, prefix: Self.removingPrefix)
        try Files.rename(name.path(in: self.root), to: grave.appending("repository"))
        self.swept.withLock { _ = $0.remove(name.text) }
        try Files.remove(grave)
    }

    /// Gives a repository another name. Blocks.
    func rename(_ from: RepositoryName, to: RepositoryName) throws(GitReceiverError) {
        guard self.exists(from) else { throw GitReceiverError(.notFound, "There is no repository \(from.text).") }
        guard !Files.exists(to.path(in: self.root)) else {
            throw GitReceiverError(.alreadyExists, "The repository \(to.text) exists already.")
        }
        try Files.rename(from.path(in: self.root), to: to.path(in: self.root))
        try Files.sync(self.root)
        self.swept.withLock { swept in
            if swept.remove(from.text) != nil { swept.insert(to.text) }
        }
    }

    /// Runs `body` while nobody else changes references of the repository. Blocks.
    func withReferencesLocked<R>(
        of path: FilePath, _ body: () throws(GitReceiverError) -> R
    ) throws(GitReceiverError) -> R {
        guard let lock = try FileLock(path.appending(Self.lockFile), waits: true) else {
            throw GitReceiverError(.busy, "The repository is locked; try again later.")
        }
        let result = try body()
        _ = consume lock
        return result
    }

    /// Removes what killed processes left: quarantines that nobody holds, files without a name to be, and lock files of
    /// references. Returns how many that were. Blocks.
    @discardableResult
    func sweep(_ path: FilePath, name: RepositoryName) throws(GitReceiverError) -> Int {
        var count = 0
        let objects = path.appending("objects")
        for entry in Files.list(objects) where entry.hasPrefix(Self.quarantinePrefix) {
            let quarantine = objects.appending(entry)
            // A quarantine in use is locked by its process, which may be another one than this.
            // Held until it is gone, so that nobody begins to use it meanwhile.
            guard let lock = try? HeldLock(quarantine.appending(Quarantine.lockFile)) else { continue }
            withExtendedLifetime(lock) { try? Files.remove(quarantine) }
            count += 1
            self.logger.info(
                "removed the quarantine of a push that was cut off", metadata: ["git.repository": "\(name.text)"])
        }
        try self.withReferencesLocked(of: path) { () throws(GitReceiverError) in
            for entry in ["HEAD.lock", "packed-refs.lock", "config.lock"] {
                guard Files.exists(path.appending(entry)) else { continue }
                try? Files.remove(path.appending(entry))
                count += 1
            }
            count += Self.removeLocks(below: path.appending("refs"), depth: 0)
        }
        return count
    }

    private static func removeLocks(below directory: FilePath, depth: Int) -> Int {
        guard depth < 64 else { return 0 }
        var count = 0
        for entry in Files.list(directory) {
            let path = directory.appending(entry)
            if entry.hasSuffix(".lock") {
                try? Files.remove(path)
                count += 1
            } else {
                count += Self.removeLocks(below: path, depth: depth + 1)
            }
        }
        return count
    }

    /// Removes repositories that were being made or removed when the process died; once for each server.
    private func sweepRoot() {
        guard self.swept.withLock({ $0.insert("").inserted }) else { return }
        for entry in Files.list(self.root) {
            let path = self.root.appending(entry)
            if entry.hasPrefix(Self.removingPrefix) {
                try? Files.remove(path)
            } else if entry.hasPrefix(Self.creatingPrefix), FileLock.isFree(path.appending(Self.lockFile)) {
                try? Files.remove(path)
            }
        }
    }
}
