import SystemPackage

/// The environment of the last build, kept with the text that decided what is in it.
struct PythonPackageCache: Sendable {
    let directory: FilePath

    private var environment: FilePath { self.directory.appending("environment") }
    private var key: FilePath { self.directory.appending("environment.key") }

    /// Copies the kept environment to `target` if it was made from the same `key`.
    func restore(_ key: String, to target: FilePath) async throws -> Bool {
        guard let kept = try FileTree.read(self.key, limit: 8 * 1024 * 1024), kept.elementsEqual(key.utf8) else {
            return false
        }
        try await FileTree.copy(self.environment, to: target)
        return true
    }

    /// Keeps the environment at `source`. The key is removed first and written last, so that it never vouches for half
    /// an environment.
    func store(_ key: String, from source: FilePath) async throws {
        try FileTree.unlinkFile(self.key)
        try await FileTree.remove(self.environment)
        try await FileTree.copy(source, to: self.environment)
        try FileTree.write(key, to: self.key, mode: [.ownerReadWrite])
    }
}
