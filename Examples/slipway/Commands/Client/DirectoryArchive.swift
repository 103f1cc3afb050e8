import PlatformClient
import SlugStore
import SystemPackage

/// A directory, packed as a `.tar.zst` file while it is sent.
struct DirectoryArchive: ArchiveSource {
    let path: FilePath

    var mediaType: String { "application/zstd" }
    var description: String { "directory \(self.path.lastComponent?.string ?? "/")" }
    var length: Int64? { nil }

    func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        do {
            let archive = TreeArchiver().archive(self.path) { path, _ in path == ".git" }
            for try await bytes in archive { try await sink(bytes) }
        } catch let error as SlugStoreError {
            throw ClientError(.invalid, "Cannot pack \(self.path): \(error.message)", cause: error)
        }
    }
}
