import Dispatch
import Foundation
import Synchronization
import SystemPackage
import Testing

#if canImport(Glibc)
    import Glibc
#endif

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
    func run(
        _ arguments: [String], in directory: FilePath, environment: [String: String] = [:],
        started: (@Sendable (Int32) -> Void)? = nil
    ) async throws -> Output {
        guard let executable = Self.executable else { throw Failure(description: "git is missing") }
        let id = UUID().uuidString
        let (out, err) = (self.home.appending("out-\(id)").string, self.home.appending("err-\(id)").string)
        _ = FileManager.default.createFile(atPath: out, contents: nil)
        _ = FileManager.default.createFile(atPath: err, contents: nil)
        let all =
            [
                executable, "-C", directory.string, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c",
                "init.defaultBranch=main", "-c", "commit.gpgsign=false", "-c", "gc.auto=0", "-c",
                "maintenance.auto=false",
            ] + arguments
        let variables = [
            "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": self.home.string, "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "no_proxy": "*",
        ].merging(environment) { $1 }
        let pid = try Self.spawn(all, variables.map { "\($0.key)=\($0.value)" }, out: out, err: err)
        started?(pid)
        let status = await withCheckedContinuation { continuation in
            DispatchQueue(label: "git-client").async {
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                continuation.resume(returning: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F)
            }
        }
        func text(_ path: String) -> String {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }
        return Output(status: status, stdout: text(out), stderr: text(err))
    }

    /// Foundation's `Process` reads past the end of what it lists its descriptors with, and crashes now and then.
    private static func spawn(
        _ arguments: [String], _ environment: [String], out: String, err: String
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY, 0)
        // The server's connections must not stay open in a client.
        #if canImport(Glibc)
            for descriptor: Int32 in 3..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        #else
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_CLOEXEC_DEFAULT))
        #endif
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid = pid_t()
        let error = posix_spawn(&pid, arguments[0], &actions, &attributes, argv, envp)
        guard error == 0 else { throw Failure(description: "git cannot be started: \(error)") }
        return pid
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
