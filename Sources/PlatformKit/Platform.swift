public import BuildpackKit
public import GitReceiver
public import Logging
public import MetricsCore
public import PlatformWire
public import RouterCore
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
        /// Where applications will be served over HTTPS, such as `0.0.0.0:443`; `nil` when they will not be. With port 0,
        /// nothing of applications with HTTPS enforced is served before ``Platform/setAddresses(http:https:admin:)`` has
        /// said which it is.
        public var httpsAddress: String?
        /// How long requests in flight to an old release may take, before they are cut.
        public var drainGrace: Duration = .seconds(30)
        /// How long an instance may take between SIGTERM and SIGKILL.
        public var stopGrace: Duration = .seconds(30)
        /// How long an instance may take until it is ready, if `app.json` says nothing.
        public var bootTimeout: Duration = .seconds(60)
        /// How long an instance without a readiness check must run before it counts as started.
        public var settleTime: Duration = .milliseconds(1_000)
        /// For how long requests to an application that should run and has no ready instance wait for one (a restart, a
        /// crash, the platform's own start), counted from when it had the last; then they are answered 503 at once, as those
        /// to an application that is not to run are. Zero: they never wait.
        public var startHold: Duration = .seconds(30)
        /// How long a start of the platform waits for the applications, before it says that it is ready.
        public var startGrace: Duration = .seconds(30)
        /// How long a release command may take.
        public var releaseTimeout: Duration = .seconds(3_600)
        /// How long a one-off may take, if it is not asked for less.
        public var oneOffTimeout: Duration = .seconds(86_400)
        /// How many one-offs of an application may run at a time.
        public var maxOneOffsPerApplication = 10
        /// How long the end of an application waits for its one-offs and deployments to end, together. Longer than a killed one-off
        /// takes; then the application stays, for they may still use what would be removed.
        public var destructionTimeout: Duration = .seconds(45)
        /// What instances and one-offs can be limited to, by name.
        public var sizes = InstanceSize.standard
        /// The size of those for which none was chosen.
        public var defaultSize = InstanceSize.unlimited.name
        /// How much of a deployment's log is kept, in bytes.
        public var deploymentLogLimit = 10 << 20
        /// Which slugs of former releases stay: what a rollback finds. Of what is shared with other hosts, which this platform
        /// does not know of, let nothing go: a policy without limits.
        public var slugRetention = RetentionPolicy(keepLast: 20)
        /// How many releases of an application may be pinned: their slugs stay whatever ``slugRetention`` says.
        public var maxPinsPerApplication = 20
        /// What vouches for the slugs that are built here; `nil`: nothing does.
        public var slugSigner: SlugSigner?
        /// How long after its start, and after each check, the platform checks all that the slug store keeps; `nil`: never.
        public var slugCheckInterval: Duration?
        /// How much of the store such a check reads, and how fast.
        public var slugCheck = VerificationOptions()
        /// How many applications there may be.
        public var maxApplications = 10_000
        /// The numbers of users of which each application gets one that is its alone; `nil`: all run as the platform's own. It
        /// takes a runtime whose host is root. No other user of the machine may be among them. The first is given to none: a host may
        /// try as that one what works.
        public var applicationUsers: ClosedRange<UInt32>?
        /// How many hosts may be added to one application.
        public var maxDomainsPerApplication = 100
        /// How many instances of one process type there may be.
        public var maxInstancesPerType = 100
        /// The size of an application's config, names and values together, in bytes.
        public var maxConfigBytes = 64 << 10
        /// How large a certificate with its chain, and a key, may be, each, in bytes of PEM.
        public var maxCertificateBytes = 64 << 10
        /// How many added certificates an application, and the platform itself, may have.
        public var maxCertificatesPerOwner = 100
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
        var isRouted = false
        var isStopping = false
        var controllers: [String: ApplicationController] = [:]
        var queues: [String: TurnQueue] = [:]
        /// Names whose repository is being moved or removed, so that it belongs to nobody by name for a moment; and the
        /// application that had them.
        var renaming: [String: String] = [:]
        var running: [DeploymentKey: CancellationSwitch] = [:]
        /// The slugs that must not be removed, though no release may refer to them.
        var claims: [SlugHolder: SlugID] = [:]
        /// What deployments have left in the slug store, by application, and the applications after which somebody tidies up.
        var untidy: [String: Set<SlugID>] = [:]
        var tidying: Set<String> = []
        var oneOffs: [DeploymentKey: OneOffRecord] = [:]
        /// Applications that are being destroyed: they begin nothing any more.
        var departing: Set<String> = []
        /// Who waits until an application has no one-offs any more.
        var departures: [String: [AsyncStream<Never>.Continuation]] = [:]
        var readiness:
            [Int: (isReached: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var lastReadiness = 0
        var httpAddress = "127.0.0.1:8080"
        var httpsAddress: String?
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
    let desk: CertificateDesk
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date
    let logger: Logger
    let jobs = BackgroundJobs()
    /// Slugs are removed, and kept from being removed, one after the other.
    let slugRemovals = TurnQueue()
    let state: Mutex<State>

    /// Receives pushes and serves clones; answers requests once ``run()`` runs.
    public let gitServer: GitServer
    /// Every metric of the platform.
    public let registry: MetricsRegistry

    /// Makes a platform of its parts. Nothing happens before ``run()``.
    ///
    /// `certificates` is where handshakes find the certificates that the platform serves: the router's own store. `issuer`
    /// orders certificates for applications that want it, and is run by the caller; with `nil` none are ordered.
    ///
    /// - Throws: ``PlatformError`` when the directory for repositories cannot be used.
    public init(
        configuration: Configuration, store: any PlatformStore, sealer: ConfigSealer, builder: Builder,
        slugs: any SlugRepository, runtime: any WorkloadRuntime, git: GitServer.Configuration, logs: LogHub,
        signals: SignalRecorder, registry: MetricsRegistry, names: ApplicationNames,
        sampler: any ResourceSampler, certificates: CertificateStore = CertificateStore(),
        issuer: (any CertificateIssuer)? = nil, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }, logger: Logger
    ) throws(PlatformError) {
        self.configuration = configuration
        self.state = Mutex(State(httpsAddress: configuration.httpsAddress))
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
        self.desk = CertificateDesk(certificates: certificates, issuer: issuer, sealer: sealer, logger: logger)
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

    // MARK: Shared by the operations

    func controller(of applicationID: String) -> ApplicationController {
        self.state.withLock { state in
            if let controller = state.controllers[applicationID] { return controller }
            let controller = self.makeController(applicationID)
            state.controllers[applicationID] = controller
            return controller
        }
    }

    func makeController(_ applicationID: String) -> ApplicationController {
        ApplicationController(
            applicationID: applicationID, runtime: self.runtime,
            settings: .init(
                drainGrace: self.configuration.drainGrace, stopGrace: self.configuration.stopGrace,
                settleTime: self.configuration.settleTime, startHold: self.configuration.startHold),
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

    func routeSettings(of application: ApplicationRecord) async throws(PlatformError) -> RouteSettings {
        var settings = RouteSettings(hosts: try await self.hosts(of: application), maintenance: application.maintenance)
        guard let address = self.state.withLock({ $0.httpsAddress }) else { return settings }
        if let port = Self.port(of: address) {
            settings.https = WorkloadRoute.HTTPS(
                port: port, isEnforced: application.enforcesHTTPS,
                strictFor: application.hstsSeconds.map { .seconds($0) })
        } else if application.enforcesHTTPS {
            // Visitors cannot be sent on yet (browsers keep a 308 for good, so it must not name a wrong port), and must
            // not be served in clear text: they are turned away for the moment.
            settings.maintenance = true
        }
        return settings
    }

    /// `nil` for one that is not known yet, too, which is written as 0.
    static func port(of address: String) -> Int? {
        address.split(separator: ":").last.flatMap { Int($0) }.flatMap { $0 == 0 ? nil : $0 }
    }

    func launchPlan(
        _ release: ReleaseRecord, _ application: ApplicationRecord
    ) async throws(PlatformError) -> LaunchPlan {
        var environment = try self.sealer.open(release.sealedConfig, for: application.id)
        environment["SLIPWAY_APP"] = application.name
        environment["SLIPWAY_RELEASE"] = "v\(release.version)"
        environment["SLIPWAY_COMMIT"] = release.commit ?? ""
        let user = try await self.user(of: application)
        return LaunchPlan(
            release: release, environment: environment, sizes: self.sizes(of: release, application),
            storage: ApplicationStorage(path: self.storage(of: application.id), user: user))
    }
}
