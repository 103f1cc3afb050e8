import BuildpackKit
import Foundation
import GitReceiver
import Logging
import MetricsCore
import PlatformWire
import SlugStore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

/// What went wrong once, when somebody tried to make it go wrong.
@Suite(.timeLimit(.minutes(1))) struct PlatformHardeningTests {
    @Test func `config that is set while the first deployment builds outlives it`() async throws {
        try await withPlatform { platform, _, _ in
            let (building, began) = AsyncStream<Void>.makeStream()
            let (released, release) = AsyncStream<Void>.makeStream()
            let source = Self.source {
                began.finish()
                for await _ in released {}
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await platform.deploy(source, to: "blog", by: .tester, output: SilentOutput())
                }
                for await _ in building {}
                group.addTask {
                    _ = try await platform.setConfig(
                        ["COLOUR": "green"], of: "blog", by: .tester, output: SilentOutput())
                }
                // Either it waits for its turn, or (as it once did) it is done with at once: both are let happen.
                let id = try await platform.find("blog").id
                while platform.queue(of: id).waitingCount == 0,
                    try await platform.config(of: "blog")["COLOUR"] == nil
                { await Task.yield() }
                release.finish()
                try await group.waitForAll()
            }
            #expect(try await platform.config(of: "blog") == ["COLOUR": "green"])
            #expect(try await platform.release(2, of: "blog").isLive)
        }
    }

    @Test func `keeps the secrets of the live release out of the log when a new config fails`() async throws {
        try await withPlatform { platform, runtime, _ in
            _ = try await platform.setConfig(
                ["API_TOKEN": "old-secret"], of: "blog", by: .tester, output: SilentOutput())
            _ = try await platform.deploy(Self.source {}, to: "blog", by: .tester, output: SilentOutput())
            runtime.state.withLock { $0.isBroken = true }
            await #expect(throws: PlatformError.self) {
                _ = try await platform.setConfig(
                    ["API_TOKEN": "new-secret"], of: "blog", by: .tester, output: SilentOutput())
            }
            #expect(try await platform.config(of: "blog") == ["API_TOKEN": "old-secret"])
            let id = try await platform.find("blog").id
            platform.append(["uses old-secret"], process: "web.1", to: id)
            let lines = try await platform.recentLogs(of: "blog", limit: 1000, sources: nil, process: nil)
            #expect(lines.contains { $0.text == "uses [redacted]" })
        }
    }

    @Test func `a deployment that was overtaken on its way to the queue does not undo a newer one`() async throws {
        let queue = TurnQueue()
        try await queue.withTurn(superseding: 2) {}
        await #expect { try await queue.withTurn(superseding: 1) {} } throws: {
            ($0 as? TurnQueue.Superseded)?.by == 2
        }
        try await queue.withTurn {}
        try await queue.withTurn(superseding: 3) {}
    }

    @Test func `a wait for the platform ends when it is cancelled`() async throws {
        try await withTemporaryDirectory { directory in
            let platform = try Self.platform(in: directory, runtime: StubRuntime())  // never run
            let waiter = Task { try await platform.waitUntilReady() }
            while platform.state.withLock({ $0.readiness.isEmpty }) { await Task.yield() }
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
            #expect(platform.state.withLock { $0.readiness.isEmpty })
        }
    }

    @Test func `a name can be used again when its repository outlived its application`() async throws {
        try await withPlatform { platform, _, _ in
            try await platform.gitServer.createRepository("shop")
            _ = try await platform.createApplication(named: "shop", by: .tester)
            #expect(platform.gitServer.repositoryExists("shop"))
            #expect(try await platform.gitServer.branches(of: "shop").isEmpty)
        }
    }

    @Test func `a destroyed application leaves no deployment records`() async throws {
        try await withPlatform { platform, _, directory in
            _ = try await platform.deploy(Self.source {}, to: "blog", by: .tester, output: SilentOutput())
            let records = directory.appending("deployments").string
            #expect(try FileManager.default.contentsOfDirectory(atPath: records).count == 1)
            try await platform.destroyApplication("blog", by: .tester)
            #expect(try FileManager.default.contentsOfDirectory(atPath: records).isEmpty)
        }
    }

    @Test func `a new token of a principal is the end of its old one`() async throws {
        try await withPlatform { platform, _, _ in
            try await platform.register(token: "leaked", for: .tester)
            try await platform.register(token: "fresh", for: .tester)
            #expect(try await platform.authenticate(token: "fresh") == .tester)
            await #expect(throws: PlatformError.self) { try await platform.authenticate(token: "leaked") }
        }
    }

    @Test(arguments: ["a{b.example.com", "a|b.example.com", "a~b.example.com", "a\u{7f}b.example.com"])
    func `refuses what is no host name`(host: String) async throws {
        try await withPlatform { platform, _, _ in
            await #expect(throws: PlatformError.self) { try await platform.addDomain(host, to: "blog", by: .tester) }
        }
    }

    @Test func `a one-off that is kept goes on in the log when its client has gone`() async throws {
        struct Gone: Error {}
        let lines = Mutex<[String]>([])
        let log: @Sendable ([String]) -> Void = { more in lines.withLock { $0 += more } }
        let ending = OneOffSink(client: { _ in throw Gone() }, keeps: false, log: log)
        await #expect(throws: Gone.self) { try await ending.take(Array("lost\n".utf8)) }
        let kept = OneOffSink(client: { _ in throw Gone() }, keeps: true, log: log)
        #expect(kept.isAttached)
        try await kept.take(Array("one\ntw".utf8))
        #expect(!kept.isAttached)
        try await kept.take(Array("o\nrest".utf8))
        #expect(lines.withLock { $0 } == ["one", "two"])
        #expect(kept.finish() == ["rest"])
    }

    @Test func `says that the record of a deployment is full`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("1.log")
            let log = DeploymentLog(
                applicationID: "a", hub: try LogHub(logger: Self.logger), output: SilentOutput(), path: path,
                byteLimit: 10
            ) {}
            for line in ["first", "second", "third"] { await log.write(line) }
            let text = try String(contentsOfFile: path.string, encoding: .utf8)
            #expect(text == "first\n !     The rest of the output is left out: this record is full.\n")
        }
    }

    @Test func `tells a slow reader of a log what it has lost`() async throws {
        try await withPlatform { platform, _, _ in
            let lines = try await platform.tailLogs(of: "blog", last: 0, sources: nil, process: nil)
            let id = try await platform.find("blog").id
            platform.append((1...50_000).map { "line \($0)" }, process: "web.1", to: id)
            var iterator = lines.makeAsyncIterator()
            #expect(await iterator.next()?.text.contains("dropped") == true)
        }
    }

    @Test func `keeps secrets out of the record of a deployment`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("1.log")
            let hub = try LogHub(logger: Self.logger)
            hub.setSecrets(["hunter22"], for: "a")
            let log = DeploymentLog(
                applicationID: "a", hub: hub, output: SilentOutput(), path: path, byteLimit: 1000
            ) {}
            await log.write("password=hunter22")
            #expect(try String(contentsOfFile: path.string, encoding: .utf8) == "password=[redacted]\n")
        }
    }

    // MARK: Support

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A source with nothing to build, that is there when `before` has returned.
    private static func source(_ before: @escaping @Sendable () async -> Void) -> DeploymentSource {
        DeploymentSource(description: "test", commit: nil) { directory, _ in
            await before()
            try "web: true\n".write(toFile: directory.appending("Procfile").string, atomically: true, encoding: .utf8)
        }
    }

    private static func platform(in directory: FilePath, runtime: StubRuntime) throws -> Platform {
        var configuration = Platform.Configuration(dataDirectory: directory)
        configuration.settleTime = .zero
        return try Platform(
            configuration: configuration, store: SQLitePlatformStore(),
            sealer: ConfigSealer(key: Data(repeating: 7, count: 32)),
            builder: Builder(sandbox: HostBuildSandbox(logger: Self.logger), logger: Self.logger),
            slugs: LocalSlugRepository(
                configuration: .init(directory: directory.appending("slugs")), logger: Self.logger),
            runtime: runtime, git: .init(root: directory.appending("repositories")),
            logs: LogHub(logger: Self.logger), signals: SignalRecorder(), registry: MetricsRegistry(),
            names: ApplicationNames(), sampler: ProcfsSampler(), logger: Self.logger)
    }

    /// Runs `body` with a platform that is ready and has the application `blog`.
    private func withPlatform(_ body: (Platform, StubRuntime, FilePath) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let runtime = StubRuntime()
            let platform = try Self.platform(in: directory, runtime: runtime)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await platform.run() }
                try await platform.waitUntilReady()
                _ = try await platform.createApplication(named: "blog", by: .tester)
                try await body(platform, runtime, directory)
                group.cancelAll()
            }
        }
    }
}

extension Principal {
    fileprivate static let tester = Principal(name: "tester", role: .admin)
}

/// Instances that are ready as soon as they are started, unless it is broken.
private final class StubRuntime: WorkloadRuntime {
    struct State {
        var isBroken = false
        var instances: [WorkloadInstance] = []
    }
    let state = Mutex(State())

    func waitUntilAdopted() async throws {}
    func instances(of applicationID: String) -> [WorkloadInstance] {
        self.state.withLock { $0.instances.filter { $0.applicationID == applicationID } }
    }
    func applicationIDs() -> Set<String> { Set(self.state.withLock { $0.instances.map(\.applicationID) }) }
    func start(_ request: WorkloadRequest) async throws(PlatformError) -> WorkloadInstance {
        let instance = WorkloadInstance(
            id: "\(request.applicationID)/\(request.serial)", applicationID: request.applicationID,
            processType: request.processType, number: request.number, release: request.release, serial: request.serial,
            phase: .ready, restarts: 0)
        let isBroken = self.state.withLock { state in
            if !state.isBroken { state.instances.append(instance) }
            return state.isBroken
        }
        if isBroken { throw PlatformError(.refused, "nothing starts here") }
        return instance
    }
    func waitUntilReady(_ id: String) async throws(PlatformError) {}
    func stop(_ id: String) async { self.state.withLock { $0.instances.removeAll { $0.id == id } } }
    func restart(_ id: String) async throws(PlatformError) {}
    func setRoute(_ route: WorkloadRoute) throws(PlatformError) {}
    func removeRoute(of applicationID: String) {}
    func drain(_ ids: [String], grace: Duration) async {}
    func runOneOff(
        _ request: WorkloadRequest, timeout: Duration?, session: OneOffSession
    ) async throws(PlatformError) -> WorkloadExit { WorkloadExit(status: 0, description: "exit status 0") }
    func events() -> AsyncStream<WorkloadEvent> { AsyncStream { $0.finish() } }
}
