import BuildpackKit
import BuildpackKitTesting
import Foundation
import Logging
import SystemPackage
import TestSupport

/// What the tests find on this machine, and what they build with.
enum Tools {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let sandbox = HostBuildSandbox(logger: Tools.logger)

    /// The system's own directories: version managers elsewhere on a developer's path do not take part.
    static let searchPath = Builder.Configuration.defaultSearchPath

    static func has(_ executable: String) -> Bool {
        self.searchPath.split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(executable)")
        }
    }

    /// Whether there is a Python that can make environments and install into them.
    static func hasPythonWithPip() async -> Bool {
        await self.succeeds("python3", ["-m", "pip", "--version"])
    }

    /// Whether the Python package index can be reached.
    static func hasPackageIndex() async -> Bool {
        let arguments = ["-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "10", "-d"]
        return
            (try? await withTemporaryDirectory { directory in
                await self.succeeds("python3", arguments + [directory.string, "gunicorn==23.0.0"])
            }) ?? false
    }

    static func succeeds(_ executable: String, _ arguments: [String]) async -> Bool {
        let command = BuildCommand(
            executable: executable, arguments: arguments,
            environment: ["PATH": self.searchPath, "HOME": "/nonexistent"],
            workingDirectory: "/", timeLimit: .seconds(60))
        let exit = try? await self.sandbox.run(command) { _ in }
        return exit?.isSuccess ?? false
    }

    /// Whether a process runs. A zombie does not: whoever has to reap it may be slow.
    static func isRunning(_ pid: String) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return false }
        return !stat[end...].hasPrefix(") Z") && !stat[end...].hasPrefix(") X")
    }

    /// The sample applications.
    static let examples = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().removingLastComponent().appending("Examples/apps")
}

/// A place with an application and its cache.
struct Workspace {
    let root: FilePath
    var source: FilePath { self.root.appending("source") }
    var cache: FilePath { self.root.appending("cache") }
    var tree: SourceTree { SourceTree(root: self.source) }

    /// Makes the application's files anew.
    func write(_ files: [String: String]) throws {
        try? FileManager.default.removeItem(atPath: self.source.string)
        try FileManager.default.createDirectory(atPath: self.source.string, withIntermediateDirectories: true)
        for (path, text) in files { try self.tree.write(text, to: path) }
    }

    /// Makes the application from one of the samples.
    func copy(example: String) throws {
        try? FileManager.default.removeItem(atPath: self.source.string)
        try FileManager.default.copyItem(atPath: Tools.examples.appending(example).string, toPath: self.source.string)
    }

    /// A builder whose temporary files are here, too.
    func builder(
        _ buildpacks: [any Buildpack] = Builder.builtInBuildpacks,
        sandbox: any BuildSandbox = Tools.sandbox,
        clock: any Clock<Duration> = ContinuousClock(),
        configure: (inout Builder.Configuration) -> Void = { _ in }
    ) -> Builder {
        var configuration = Builder.Configuration(
            searchPath: Tools.searchPath, temporaryDirectory: self.root.appending("tmp"))
        configure(&configuration)
        return Builder(
            configuration: configuration, buildpacks: buildpacks, sandbox: sandbox, clock: clock, logger: Tools.logger)
    }

    func request(buildpacks: [String]? = nil, environment: [String: String] = [:]) -> BuildRequest {
        BuildRequest(
            application: "sample", source: self.source, cache: self.cache, environment: environment,
            buildpacks: buildpacks, sourceVersion: "0123abc")
    }

    /// What was left in the builder's directory for temporary files.
    var leftovers: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: self.root.appending("tmp").string)) ?? []
    }

    static func with(_ body: (Workspace) async throws -> Void) async throws {
        try await withTemporaryDirectory { try await body(Workspace(root: $0)) }
    }
}

/// A buildpack of closures.
struct TestBuildpack: Buildpack {
    var name = "test"
    var displayName: String { "Test" }
    var looksFor: String { "a test" }
    var applies = true
    var steps: @Sendable (BuildContext) async throws -> [ProcessType] = { _ in [] }

    func detect(_ source: SourceTree) -> Detection? { self.applies ? Detection() : nil }
    func build(_ context: BuildContext) async throws -> [ProcessType] { try await self.steps(context) }
}
