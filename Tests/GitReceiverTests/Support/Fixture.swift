import Foundation
import GitReceiver
import Logging
import Synchronization
import SystemPackage
import TestSupport

/// A handler that does what a test says and remembers what it saw.
final class ScriptedHandler: PushHandler {
    typealias Script = @Sendable (Push, any ProgressWriter) async throws -> PushVerdict

    private let script: Script
    private let seen = Mutex<[Push]>([])

    init(_ script: @escaping Script = { _, _ in .accept }) { self.script = script }

    var pushes: [Push] { self.seen.withLock { $0 } }

    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict {
        self.seen.withLock { $0.append(push) }
        return try await self.script(push, progress)
    }
}

/// A server with one empty repository, `app`, behind a loopback socket, and a git client.
struct Fixture: Sendable {
    let server: GitServer
    let handler: ScriptedHandler
    let directory: FilePath
    let port: UInt16
    let git: GitClient

    var url: String { "http://127.0.0.1:\(self.port)/git/app.git" }
    var repository: FilePath { self.directory.appending("repositories").appending("app.git") }

    /// A work tree with one commit, whose remote `slipway` is the server.
    func workTree(_ name: String = "work", files: [String: String] = ["Procfile": "web: ./run\n"]) async throws
        -> FilePath
    {
        let path = self.directory.appending(name)
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        try await self.git("init", "-q", in: path)
        try await self.git("remote", "add", "slipway", self.url, in: path)
        try await self.commit(files, "first commit", in: path)
        return path
    }

    /// A second of a time line of its own, in which commits can be an hour apart.
    static func time(_ number: Int) -> Int { 1_900_000_000 + number * 3600 }

    func commit(
        _ files: [String: String], _ message: String, at number: Int? = nil, in path: FilePath
    ) async throws {
        for (name, contents) in files {
            let file = URL(fileURLWithPath: path.appending(name).string)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(contents.utf8).write(to: file)
        }
        try await self.git("add", "-A", in: path)
        let environment = number.map { ["GIT_COMMITTER_DATE": "\(Self.time($0)) +0000"] } ?? [:]
        let output = try await self.git.run(
            ["commit", "-q", "--allow-empty", "-m", message], in: path, environment: environment)
        guard output.status == 0 else { throw GitClient.Failure(description: output.stderr) }
    }

    func push(_ arguments: String..., in path: FilePath) async throws -> GitClient.Output {
        try await self.git.run(["push"] + arguments, in: path)
    }

    /// The names in the repository's object directory, besides its packs.
    var quarantines: [String] {
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: self.repository.appending("objects").string)) ?? []
        return names.filter { $0.hasPrefix("tmp_") }
    }

    /// What a real git says about the repository: empty if nothing.
    func faults() async throws -> String {
        let output = try await self.git.run(["fsck", "--full", "--strict", "--no-dangling"], in: self.repository)
        return output.status == 0 && output.stderr.isEmpty ? "" : "\(output.status): \(output.stdout)\(output.stderr)"
    }

    var packs: [String] {
        let path = self.repository.appending("objects").appending("pack").string
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasSuffix(".pack") }
    }
}

/// Runs `body` with a fixture of its own.
func withFixture(
    handler: ScriptedHandler = ScriptedHandler(), configure: (inout GitServer.Configuration) -> Void = { _ in },
    _ body: (Fixture) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        var configuration = GitServer.Configuration(root: directory.appending("repositories"))
        configure(&configuration)
        let server = try GitServer(
            configuration: configuration, handler: handler,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await server.createRepository("app")
        let home = directory.appending("home")
        try FileManager.default.createDirectory(atPath: home.string, withIntermediateDirectories: true)
        let loopback = try LoopbackServer()
        let fixture = Fixture(
            server: server, handler: handler, directory: directory, port: loopback.port, git: GitClient(home: home))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await loopback.run(server) }
            do {
                try await body(fixture)
            } catch {
                loopback.stop()
                group.cancelAll()
                throw error
            }
            loopback.stop()
            group.cancelAll()
        }
    }
}

/// Something that happens once, which a test can wait for.
final class Event: Sendable {
    private struct State {
        var happened = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func signal() {
        let waiters = self.state.withLock { state in
            state.happened = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let happened = self.state.withLock { state in
                if !state.happened { state.waiters.append(continuation) }
                return state.happened
            }
            if happened { continuation.resume() }
        }
    }
}

/// Waits until the task is cancelled.
func waitForCancellation() async throws {
    let event = Event()
    await withTaskCancellationHandler {
        await event.wait()
    } onCancel: {
        event.signal()
    }
    try Task.checkCancellation()
}
