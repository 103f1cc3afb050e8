import BuildpackKit
import BuildpackKitTesting
import Foundation
import GitReceiver
import Logging
import MetricsCore
import PlatformKitTesting
import PlatformWire
import RouterCore
import SlugStore
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

/// A platform of real parts, but for its runtime, its buildpack and its clock.
struct Harness: Sendable {
    static let ada = Principal(name: "ada", role: .admin)
    static let key = Data(repeating: 7, count: 32)

    let platform: Platform
    let runtime: ScriptedRuntime
    let store: any PlatformStore
    let clock: ManualClock
    let logs: LogHub
    let slugs: LocalSlugRepository

    init(
        _ directory: FilePath, runtime: ScriptedRuntime = ScriptedRuntime(), store: (any PlatformStore)? = nil,
        key: Data = Self.key, certificates: CertificateStore = CertificateStore(),
        issuer: (any CertificateIssuer)? = nil, far: Bool = false,
        configure: (inout Platform.Configuration) -> Void = { _ in }
    ) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var slugs = LocalSlugRepository.Configuration(directory: directory.appending("slugs"))
        slugs.synchronises = false
        var configuration = Platform.Configuration(dataDirectory: directory.appending("data"))
        // What has no check counts as started at once, unless a test moves the clock.
        configuration.settleTime = .zero
        configure(&configuration)
        self.store = try store ?? SQLitePlatformStore()
        self.runtime = runtime
        self.clock = ManualClock()
        self.logs = try LogHub(logger: logger)
        self.slugs = LocalSlugRepository(configuration: slugs, logger: logger)
        self.platform = try Platform(
            configuration: configuration, store: self.store, sealer: ConfigSealer(key: key),
            builder: Builder(buildpacks: [InProcessBuildpack()], sandbox: ScriptedSandbox(), logger: logger),
            slugs: far ? FarSlugs(self.slugs) : self.slugs, runtime: runtime,
            git: .init(root: directory.appending("repositories")),
            logs: self.logs, signals: SignalRecorder(), registry: MetricsRegistry(), names: ApplicationNames(),
            sampler: NoSampler(), certificates: certificates, issuer: issuer, clock: self.clock, logger: logger)
    }

    /// Runs the platform while `body` runs.
    func running<R: Sendable>(_ body: @Sendable (Harness) async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.platform.run() }
            try await self.platform.waitUntilReady()
            let result = try await body(self)
            group.cancelAll()
            return result
        }
    }

    // MARK: Operations, in short

    @discardableResult
    func create(_ name: String = "blog") async throws -> ApplicationInfo {
        try await self.platform.createApplication(named: name, by: Self.ada)
    }

    @discardableResult
    func deploy(
        _ name: String = "blog", _ source: DeploymentSource = .of("web: run"),
        output: any ProgressOutput = SilentOutput()
    ) async throws -> DeploymentInfo {
        try await self.platform.deploy(source, to: name, by: Self.ada, output: output)
    }

    @discardableResult
    func set(_ changes: [String: String?], of name: String = "blog") async throws -> ReleaseInfo? {
        try await self.platform.setConfig(changes, of: name, by: Self.ada, output: SilentOutput())
    }

    @discardableResult
    func rollback(_ name: String = "blog", to version: Int? = nil) async throws -> ReleaseInfo {
        try await self.platform.rollback(name, to: version, by: Self.ada, output: SilentOutput())
    }

    @discardableResult
    func scale(_ quantities: [String: Int], of name: String = "blog") async throws -> [InstanceInfo] {
        try await self.platform.scale(name, to: quantities, by: Self.ada, output: SilentOutput())
    }

    func restart(_ target: String? = nil, of name: String = "blog") async throws {
        try await self.platform.restart(target, of: name, by: Self.ada, output: SilentOutput())
    }

    func live(_ name: String = "blog") async throws -> Int? {
        try await self.platform.application(named: name).release
    }

    func states(_ name: String = "blog") async throws -> [DeploymentState] {
        try await self.platform.deployments(of: name).reversed().map(\.state)
    }

    /// Returns when that deployment is journalled and waits for its turn behind one that does not end by itself.
    func queued(_ number: Int, of name: String = "blog") async throws {
        let id = try await self.platform.find(name).id
        while try await self.store.read({ try $0.deployment(number, of: id) }) == nil { await Task.yield() }
        let queue = self.platform.queue(of: id)
        let journalled = { try await self.store.read { try $0.deployments(of: id, limit: 100) } }
        while try await queue.waitingCount < journalled().count(where: { $0.state == "queued" }) { await Task.yield() }
    }

    /// Returns when that many operations wait for their turn.
    func waiting(_ count: Int, of name: String = "blog") async throws {
        let queue = self.platform.queue(of: try await self.platform.find(name).id)
        while queue.waitingCount < count { await Task.yield() }
    }

    /// Starts a one-off of `blog` whose client does not take what it said, whoever is told that it is to end, before the
    /// continuation is finished; returns when it has said something.
    func heldOneOff() async -> (oneOff: Task<OneOffResult, any Error>, read: AsyncStream<Never>.Continuation) {
        let (reading, read) = AsyncStream<Never>.makeStream()
        let (saying, say) = AsyncStream<Void>.makeStream()
        self.runtime.scriptOneOffs { _ in .ends(0, printing: ["a line"]) }
        let oneOff = Task {
            try await self.platform.runOneOff(
                OneOffRequest(command: ["report"]), of: "blog", by: Self.ada,
                session: OneOffSession { _ in
                    say.yield()
                    await shielded { for await _ in reading {} }
                })
        }
        for await _ in saying { break }
        return (oneOff, read)
    }

    /// Returns when exactly these instances are there, and these get requests.
    func settled(running: [String], routed: [String]) async {
        await self.runtime.wait { $0.running == running && $0.routed == routed }
    }
}

/// Runs `body` with a platform that runs.
func withPlatform(
    _ runtime: ScriptedRuntime = ScriptedRuntime(), configure: (inout Platform.Configuration) -> Void = { _ in },
    _ body: @Sendable (Harness) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        try await Harness(directory, runtime: runtime, configure: configure).running(body)
    }
    #expect(runtime.snapshot.violations.isEmpty)
}

/// Fails with this code.
func expect<R>(
    _ code: PlatformError.Code, _ text: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> R
) async {
    let error = await #expect(throws: PlatformError.self, sourceLocation: sourceLocation) { _ = try await body() }
    guard let error else { return }
    #expect(error.code == code, "\(error.message)", sourceLocation: sourceLocation)
    if !text.isEmpty { #expect(error.message.contains(text), sourceLocation: sourceLocation) }
}

/// Applies to everything and does what files in the source say, without a command.
private struct InProcessBuildpack: Buildpack {
    let name = "in-process"

    func detect(_ source: SourceTree) -> Detection? { Detection() }

    func build(_ context: BuildContext) async throws -> [ProcessType] {
        if context.source.hasFile("FAIL") { throw BuildError(.buildpackFailed, "the source is broken") }
        await context.output.detail("built in process")
        return []
    }
}

private struct NoSampler: ResourceSampler {
    func sample(_ pid: Int32) throws(MetricsError) -> ResourceUsage {
        throw MetricsError(.processNotFound, "there is no process \(pid)")
    }
}

extension DeploymentSource {
    /// A source with this Procfile and these other files.
    static func of(_ procfile: String, _ files: [String: String] = [:], _ description: String = "test") -> Self {
        .held(by: nil, procfile, files, description)
    }

    /// A source that is not there before the gate opens.
    static func held(
        by gate: Gate?, _ procfile: String = "web: run", _ files: [String: String] = [:],
        _ description: String = "test"
    ) -> Self {
        Self(description: description, commit: "1a2b3c4d") { directory, _ in
            try await gate?.pass()
            for (name, text) in files.merging(["Procfile": procfile], uniquingKeysWith: { first, _ in first }) {
                try Data(text.utf8).write(to: URL(fileURLWithPath: directory.appending(name).string))
            }
        }
    }
}
