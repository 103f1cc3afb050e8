import Foundation
import Subprocess
import SystemPackage
import Testing

/// A git work tree with an application in it.
struct WorkTree: Sendable {
    let path: FilePath

    /// Makes a work tree with these files.
    init(at path: FilePath, files: [String: String] = [:]) async throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        for (name, text) in files { try self.write(name, text) }
        let result = try await self.git(["init", "-q", "-b", "main"])
        try #require(result.status == 0, "\(result)")
    }

    /// Makes a work tree of one of the sample applications.
    init(at path: FilePath, sample: String) async throws {
        try FileManager.default.createDirectory(
            atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: Self.samples.appending(sample).string, toPath: path.string)
        try await self.init(at: path)
    }

    private static let samples = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().removingLastComponent().appending("Examples/apps")

    /// Writes a file, making its directories.
    func write(_ name: String, _ text: String, executable: Bool = false) throws {
        let file = self.path.pushing(FilePath(name))
        try FileManager.default.createDirectory(
            atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file.string))
        if executable {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.string)
        }
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: self.path.pushing(FilePath(name)).string)
    }

    func commitAll() async throws {
        let added = try await self.git(["add", "-A"])
        try #require(added.status == 0, "\(added)")
        let committed = try await self.git(["commit", "-q", "--allow-empty", "-m", "change"])
        try #require(committed.status == 0, "\(committed)")
    }

    /// Runs the git that people have, with no configuration but its defaults.
    func git(_ arguments: [String]) async throws -> CommandResult {
        try await command(
            .name("git"), arguments,
            environment: [
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A",
                "GIT_COMMITTER_EMAIL": "a@example.com", "HOME": self.path.string,
            ], in: self.path)
    }
}
