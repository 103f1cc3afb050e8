import Foundation
import Synchronization
import SystemPackage
import Testing

/// The real git client in an environment of its own.
struct GitClient: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    struct Output: Sendable {
        var status: Int32
        var stdout: String
        var stderr: String
    }

    static let executable: String? = ["/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let home: FilePath

    /// Runs git in a directory and returns what it printed, whatever its status.
    @discardableResult
    func run(_ arguments: [String], in directory: FilePath, started: (@Sendable (Int32) -> Void)? = nil) async throws
        -> Output
    {
        guard let executable = Self.executable else { throw Failure(description: "git is missing") }
        let id = UUID().uuidString
        let (out, err) = (self.home.appending("out-\(id)").string, self.home.appending("err-\(id)").string)
        _ = FileManager.default.createFile(atPath: out, contents: nil)
        _ = FileManager.default.createFile(atPath: err, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments =
            [
                "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main",
                "-c", "commit.gpgsign=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
            ] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory.string)
        process.environment = [
            "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": self.home.string, "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "no_proxy": "*",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: out)
        process.standardError = FileHandle(forWritingAtPath: err)
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
                started?(process.processIdentifier)
            } catch { continuation.resume(throwing: error) }
        }
        func text(_ path: String) -> String {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }
        return Output(status: status, stdout: text(out), stderr: text(err))
    }

    /// Runs git and expects it to succeed; returns what it printed, without the line feed at the end.
    @discardableResult
    func callAsFunction(_ arguments: String..., in directory: FilePath) async throws -> String {
        let output = try await self.run(arguments, in: directory)
        guard output.status == 0 else {
            throw Failure(description: "git \(arguments.joined(separator: " ")): \(output.stderr)\(output.stdout)")
        }
        return output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test, with the reason, where there is no git client.
    static var needsGit: Self { .enabled(if: GitClient.executable != nil, "the git client is not installed") }
}
