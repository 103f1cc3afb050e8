public import BuildpackKit
public import GitReceiver
public import Logging
public import MetricsCore
public import PlatformWire
public import ServiceLifecycle
public import SlugStore
internal import Synchronization
public import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// The control plane: applications, config, deployments, releases, formations.
///
/// What somebody wants is in a ``PlatformStore``; what runs is at a ``WorkloadRuntime``; one controller per application
/// brings the second to the first. ``run()`` must be running for anything to happen. Thread-safe; several platforms in
/// one process do not notice each other.
///
/// Every operation throws ``PlatformError``: `notFound` for an unknown application, `refused` with the cause when a
/// build, a release command or a rollout failed, `cancelled` when the calling task was cancelled or somebody cancelled
/// the deployment.
public final class Platform: Service {
    /// What a platform can be told.
    public struct Configuration: Sendable {
        /// Where deployment records, build directories and caches are kept.
        public var dataDirectory: FilePath
        /// Applications are found at `NAME.domain`.
        public var domain = "localhost"
        /// How long requests in flight to an old release may take, before they are cut.
        public var drainGrace: Duration = .seconds(30)
        /// How long an instance may take between SIGTERM and SIGKILL.
        public var stopGrace: Duration = .seconds(30)
        /// How long an instance may take until it is ready, if `app.json` says nothing.
        public var bootTimeout: Duration = .seconds(60)
        /// How long an instance without a readiness check must run before it counts as started.
        public var settleTime: Duration = .milliseconds(1_000)
        /// How long a start of the platform waits for the applications, before it says that it is ready.
        public var startGrace: Duration = .seconds(30)
        /// How long a release command may take.
        public var releaseTimeout: Duration = .seconds(3_600)
        /// How long a one-off may take; `nil` means as long as it likes.
        public var oneOffTimeout: Duration?
        /// How much output of a one-off may wait for a client that reads too slowly, in bytes; what is beyond is dropped,
        /// and said to be.
        public var oneOffBacklog = 64 << 20
        /// How much of a deployment's log is kept, in bytes.
        public var deploymentLogLimit = 10 << 20
        /// How many applications there may be.
        public var maxApplications = 10_000
        /// How many instances of one process type there may be.
        public var maxInstancesPerType = 100
        /// The size of an application's config, names and values together, in bytes.
        public var maxConfigBytes = 64 << 10
        /// How many audit entries are kept.
        public var auditEntries = 100_000
        /// How often instances are measured.
        public var sampleInterval: Duration = .seconds(10)
        /// Called after each step of a deployment has been journalled, before the next begins.
        public var onJournal: (@Sendable (DeploymentState) -> Void)?

        /// Makes a configuration with the defaults above.
        public init(dataDirectory: FilePath) { self.dataDirectory = dataDirectory }
    }

    struct State {
        var isReady = false
        var isStopping = false
        var controllers: [String: ApplicationController] = [:]
        var queues: [String: TurnQueue] = [:]
        /// Names whose repository is being moved, so that it belongs to nobody by name for a moment.
        var renaming: Set<String> = []
        var running: [DeploymentKey: CancellationSwitch] = [:]
        var readiness: [Int: CheckedContinuation<Void, any Error>] = [:]
        var lastReadiness = 0
        var httpAddress = "127.0.0.1:8080"
        var adminAddress = "127.0.0.1:8081"
    }

    struct DeploymentKey: Hashable {
        var applicationID: String
        var number: Int
    }

    let configuration: Configuration
    let store: any PlatformStore
    let sealer: ConfigSealer
    let builder: Builder
    let slugs: any SlugRepository
    let runtime: any WorkloadRuntime
    let logs: LogHub
    let signals: SignalRecorder
    let names: ApplicationNames
    let sampler: any ResourceSampler
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date
    let logger: Logger
    let jobs = BackgroundJobs()
    let state = Mutex(State())

    /// Receives pushes and serves clones; answers requests once ``run()`` runs.
    public let gitServer: GitServer
    /// Every metric of the platform.
    public let registry: MetricsRegistry

    /// Makes a platform of its parts. Nothing happens before ``run()``.
    ///
    /// - Throws: ``PlatformError`` when the directory for repositories cannot be used.
    public init(
        configuration: Configuration, store: any PlatformStore, sealer: ConfigSealer, builder: Builder,
        slugs: any SlugRepository, runtime: any WorkloadRuntime, git: GitServer.Configuration, logs: LogHub,
        signals: SignalRecorder, registry: MetricsRegistry, names: ApplicationNames,
        sampler: any ResourceSampler, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }, logger: Logger
    ) throws(PlatformError) {
        self.configuration = configuration
        self.store = store
        self.sealer = sealer
        self.builder = builder
        self.slugs = slugs
        self.runtime = runtime
        self.logs = logs
        self.signals = signals
        self.registry = registry
        self.names = names
        self.sampler = sampler
        self.clock = clock
        self.now = now
        self.logger = logger
        let relay = PushRelay()
        do {
            self.gitServer = try GitServer(configuration: git, handler: relay, logger: logger)
        } catch {
            throw PlatformError(.internalError, "cannot serve git: \(error)", cause: error)
        }
        InstanceSampler.describe(in: registry)
        relay.attach(self)
    }

    // MARK: Life cycle

    /// Whether what was found at start has been brought to what should be.
    public var isReady: Bool { self.state.withLock { $0.isReady && !$0.isStopping } }

    /// Returns when ``isReady`` becomes true.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, ``PlatformError`` with the code `unavailable` when the
    ///   platform ends.
    public func waitUntilReady() async throws {
        let id = self.state.withLock { state in
            state.lastReadiness += 1
            return state.lastReadiness
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = self.state.withLock { state in
                    if state.isStopping { return .failure(Self.stopped) }
                    if state.isReady { return .success(()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.readiness[id] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.readiness.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
        try Task.checkCancellation()
    }

    private static var stopped: PlatformError { PlatformError(.unavailable, "the platform has stopped") }

    /// Says under which addresses visitors and clients reach the platform; used in what it prints.
    public func setAddresses(http: String, admin: String) {
        self.state.withLock {
            $0.httpAddress = http
            $0.adminAddress = admin
        }
    }

    /// Brings every application to what it should be and keeps it there until the surrounding task is cancelled or
    /// shut down gracefully. Running deployments are then cancelled; instances are left to the runtime.
    public func run() async throws {
        // However it ends, nothing is under way or waited for afterwards.
        defer { self.beginStopping() }
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                // Subscribed before the first look, so that no change falls between the two.
                let events = self.runtime.events()
                group.addTask { await self.follow(events) }
                group.addTask {
                    do {
                        try await self.boot()
                        try await self.sampleInstances()
                    } catch is CancellationError {
                    } catch {
                        // Else the loop below would wait for ever for jobs of a platform that cannot start.
                        self.jobs.finish()
                        throw error
                    }
                }
                for await job in self.jobs.stream { group.addTask { await job() } }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.beginStopping()
        }
    }

    private func beginStopping() {
        let (running, waiting) = self.state.withLock { state in
            state.isStopping = true
            defer { state.readiness = [:] }
            return (Array(state.running.values), Array(state.readiness.values))
        }
        for continuation in waiting { continuation.resume(throwing: Self.stopped) }
        for deployment in running { deployment.trip("the platform is stopping") }
        self.jobs.finish()
    }

    private func boot() async throws {
        try self.sweepBuildDirectories()
        try await self.closeJournal()
        try await self.runtime.waitUntilAdopted()
        let applications = try await self.store.read { try $0.applications() }
        await withDiscardingTaskGroup { group in
            for application in applications {
                self.names.set(application.name, of: application.id)
                group.addTask {
                    do {
                        try await self.load(application)
                    } catch {
                        // One application that cannot be loaded must not keep the others down.
                        self.logger.error(
                            "cannot load an application",
                            metadata: ["application.name": "\(application.name)", "error": "\(error)"])
                        self.note("Cannot be loaded: \(error)", application.id)
                    }
                }
            }
        }
        let known = Set(applications.map(\.id))
        for stray in self.runtime.applicationIDs().subtracting(known) {
            self.jobs.add { await self.makeController(stray).retire() }
        }
        try await self.waitUntilSettled()
        let waiting = self.state.withLock { state in
            state.isReady = true
            defer { state.readiness = [:] }
            return Array(state.readiness.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Whoever is told that the platform is ready expects the applications to answer: waits for them, for a while.
    private func waitUntilSettled() async throws {
        let controllers = self.state.withLock { Array($0.controllers.values) }
        let grace = self.configuration.startGrace
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.clock.sleep(for: grace) }
            group.addTask {
                await withDiscardingTaskGroup { group in
                    for controller in controllers { group.addTask { await controller.waitUntilSettled() } }
                }
            }
            await group.next()
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    /// Ends what a former run of the host left open: nothing before `live` has had any effect on what is routed to.
    private func closeJournal() async throws {
        let now = self.now()
        try await self.store.write { records in
            let final = Set(DeploymentState.allCases.filter(\.isFinal).map(\.rawValue))
            for var deployment in try records.deployments(notIn: final) {
                deployment.cause = "the host stopped while the deployment was \(deployment.state)"
                deployment.state = DeploymentState.failed.rawValue
                deployment.finishedAt = now
                try records.save(deployment)
            }
        }
    }

    private func sweepBuildDirectories() throws {
        let builds = self.configuration.dataDirectory.appending("builds")
        try? FileManager.default.removeItem(atPath: builds.string)
        for name in ["builds", "caches", "deployments"] {
            try FileManager.default.createDirectory(
                atPath: self.configuration.dataDirectory.appending(name).string, withIntermediateDirectories: true)
        }
    }

    func load(_ application: ApplicationRecord) async throws {
        self.logs.setSecrets(try self.secrets(of: application), for: application.id)
        let release = try await self.store.read { records in
            try application.liveRelease.flatMap { try records.release($0, of: application.id) }
        }
        await self.controller(of: application.id).load(
            hosts: try await self.hosts(of: application), maintenance: application.maintenance,
            live: try release.map { try self.launchPlan($0, application) }, formation: application.formation)
    }

    /// Gives an application that could not be loaded at start another try. When its live release cannot be read for
    /// good, that is given up: the next one must be able to take its place.
    func ensureLoaded(_ application: ApplicationRecord) async throws {
        let controller = self.controller(of: application.id)
        guard await !controller.isLoaded else { return }
        do {
            try await self.load(application)
        } catch {
            self.logger.warning(
                "the live release cannot be loaded",
                metadata: ["application.name": "\(application.name)", "error": "\(error)"])
            await controller.load(
                hosts: try await self.hosts(of: application), maintenance: application.maintenance, live: nil,
                formation: application.formation)
        }
    }

    private func follow(_ events: AsyncStream<WorkloadEvent>) async {
        for await event in events {
            let (controller, isBooting) = self.state.withLock { state in
                (state.controllers[event.applicationID], !state.isReady)
            }
            // The last events of a destroyed application come after its log is gone, and must not bring it back. At
            // start, what is adopted comes before its application is loaded.
            guard controller != nil || isBooting else { continue }
            if let text = event.text { self.note("\(event.name) \(text)", event.applicationID) }
            guard let controller else { continue }
            // Not here: a pass may take as long as starting a process does, and the next event must not wait for it.
            self.jobs.add { await controller.reconcile() }
        }
    }

    private func sampleInstances() async throws {
        let sampler = InstanceSampler(
            runtime: self.runtime, sampler: self.sampler, signals: self.signals, registry: self.registry)
        while !Task.isCancelled {
            for (id, controller) in self.state.withLock({ $0.controllers }) {
                let wanted = await controller.liveSlots.count
                sampler.sample(applicationID: id, name: self.names.name(of: id), wanted: wanted)
            }
            try await self.clock.sleep(for: self.configuration.sampleInterval)
        }
    }

    // MARK: Shared by the operations

    func controller(of applicationID: String) -> ApplicationController {
        self.state.withLock { state in
            if let controller = state.controllers[applicationID] { return controller }
            let controller = self.makeController(applicationID)
            state.controllers[applicationID] = controller
            return controller
        }
    }

    private func makeController(_ applicationID: String) -> ApplicationController {
        ApplicationController(
            applicationID: applicationID, runtime: self.runtime,
            settings: .init(
                drainGrace: self.configuration.drainGrace, stopGrace: self.configuration.stopGrace,
                settleTime: self.configuration.settleTime),
            clock: self.clock, jobs: self.jobs, logger: self.logger)
    }

    func queue(of applicationID: String) -> TurnQueue {
        self.state.withLock { state in
            if let queue = state.queues[applicationID] { return queue }
            let queue = TurnQueue()
            state.queues[applicationID] = queue
            return queue
        }
    }

    /// Writes one line about an application into its log.
    func note(_ text: String, _ applicationID: String) {
        self.logs.append(
            [LogEntry(timestamp: self.now(), source: .platform, process: nil, text: text)], to: applicationID)
    }

    func secrets(of application: ApplicationRecord) throws(PlatformError) -> Set<String> {
        Self.secrets(in: try self.sealer.open(application.sealedConfig, for: application.id))
    }

    static func secrets(in config: [String: String]) -> Set<String> {
        let words = ["SECRET", "TOKEN", "PASSWORD", "KEY", "DATABASE_URL", "REDIS_URL"]
        return Set(config.filter { name, value in value.count >= 6 && words.contains { name.contains($0) } }.values)
    }

    func hosts(of application: ApplicationRecord) async throws(PlatformError) -> [String] {
        let added = try await self.reading { try $0.domains(of: application.id) }.map(\.host)
        return ["\(application.name).\(self.configuration.domain)"] + added
    }

    func launchPlan(_ release: ReleaseRecord, _ application: ApplicationRecord) throws(PlatformError) -> LaunchPlan {
        var environment = try self.sealer.open(release.sealedConfig, for: application.id)
        environment["SLIPWAY_APP"] = application.name
        environment["SLIPWAY_RELEASE"] = "v\(release.version)"
        environment["SLIPWAY_COMMIT"] = release.commit ?? ""
        return LaunchPlan(release: release, environment: environment)
    }
}
