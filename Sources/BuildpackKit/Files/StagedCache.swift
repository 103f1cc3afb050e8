import Synchronization
import SystemPackage

/// A cache directory that a build works on as a copy, which replaces the original only when the build succeeds.
///
/// Scripts move files out of their cache and link them into the tree; a build that fails half-way would else leave the
/// next one a cache that nobody has ever tested.
final class StagedCache: Sendable {
    private let committed: FilePath
    private let staging: FilePath
    private let previous: FilePath
    private let isStaged = Mutex(false)

    /// - Parameters:
    ///   - directory: Where original and copy are, on one file system.
    ///   - name: The original's name.
    init(directory: FilePath, name: String) {
        self.committed = directory.appending(name)
        self.staging = directory.appending("\(name).staging")
        self.previous = directory.appending("\(name).previous")
    }

    /// The copy, made on first use.
    func directory() async throws -> FilePath {
        if self.isStaged.withLock({ $0 }) { return self.staging }
        try await FileTree.remove(self.staging)
        if try FileStatus.of(self.committed) == nil, try FileStatus.of(self.previous) != nil {
            try FileTree.move(self.previous, to: self.committed)  // A crash came between the two renames of `commit`.
        }
        try await FileTree.remove(self.previous)
        if try FileStatus.of(self.committed) != nil {
            try await FileTree.copy(self.committed, to: self.staging)
        } else {
            try FileTree.createDirectory(self.staging)
        }
        self.isStaged.withLock { $0 = true }
        return self.staging
    }

    /// Makes the copy the original, if there is one.
    func commit() async throws {
        guard self.isStaged.withLock({ $0 }) else { return }
        if try FileStatus.of(self.committed) != nil { try FileTree.move(self.committed, to: self.previous) }
        try FileTree.move(self.staging, to: self.committed)
        self.isStaged.withLock { $0 = false }
        try await FileTree.remove(self.previous)
    }
}
