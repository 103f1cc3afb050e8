import PlatformClient
import SlugStore
import SystemPackage

/// A directory, packed while it is sent.
struct DirectoryArchive: PlatformClient.ArchiveSource {
    let path: FilePath

    var mediaType: String { "application/zstd" }
    var description: String { "directory \(self.path.lastComponent?.string ?? "/")" }
    var length: Int64? { nil }

    func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        let archive = TreeArchiver().archive(self.path) { path, _ in path == ".git" }
        for try await bytes in archive { try await sink(bytes) }
    }
}
