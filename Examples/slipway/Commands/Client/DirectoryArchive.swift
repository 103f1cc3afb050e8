import PlatformClient
import Subprocess
import SystemPackage

/// A directory, packed as a tar file while it is sent.
struct DirectoryArchive: ArchiveSource {
    let path: FilePath

    var mediaType: String { "application/x-tar" }
    var description: String { "directory \(self.path.lastComponent?.string ?? "/")" }
    var length: Int64? { nil }

    func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        do {
            let result = try await Subprocess.run(
                .name("tar"), arguments: ["--exclude=./.git", "-C", self.path.string, "-cf", "-", "."], input: .none,
                output: .sequence, error: .discarded
            ) { execution in
                for try await buffer in execution.standardOutput {
                    try await sink(buffer.withUnsafeBytes { Array($0) })
                }
            }
            guard case .exited(0) = result.terminationStatus else {
                throw ClientError(.invalid, "Cannot pack \(self.path): tar could not read all of it.")
            }
        } catch let error as SubprocessError {
            throw ClientError(.invalid, "Cannot pack \(self.path): the program tar does not run (\(error)).", cause: error)
        }
    }
}
