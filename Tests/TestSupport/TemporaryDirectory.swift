import Foundation
public import SystemPackage

/// Runs `body` with a fresh directory and removes it afterwards, whatever happened.
public func withTemporaryDirectory<R>(
    isolation: isolated (any Actor)? = #isolation,
    _ body: (FilePath) async throws -> R
) async throws -> R {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("slipway-test-\(UUID().uuidString)")
    // Others may look but not write, whatever the umask: some paths are refused where others can write.
    try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(FilePath(directory.path))
}
