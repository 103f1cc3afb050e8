import BuildpackKit
import Foundation
import GitReceiver
import Logging
import MetricsCore
import PlatformAPI
import PlatformKit
import PlatformWire
import ProcessSupervisor
import RouterACME
import RouterCore
import ServiceLifecycle
import SlugStore
import SystemPackage
import UnixSignals

/// Puts the parts together: this file is the example of how a platform is made of them.
struct Host {
    let settings: ServeSettings
    let logger: Logger
    /// Called once everything is there.
    let onReady: @Sendable (HostAddresses) -> Void

    /// Serves until the task is cancelled or one of the signals comes.
    func run(endingOn signals: [UnixSignal]) async throws {
        let logger = self.logger
        let data = try DataDirectory(path: self.settings.data)

        await HostBuildSandbox.killLeftBehind(below: data.builds)

        let registry = MetricsRegistry()
        let names = ApplicationNames()
        let logs = try LogHub(configuration: self.logConfiguration(data), logger: logger)
        let fiveSignals = SignalRecorder()
        let slugs = LocalSlugRepository(configuration: .init(directory: data.slugs), logger: logger)
        let groups = try ControlGroups.open(named: data.controlGroup)
        defer { groups.remove() }
        let policy = self.sandboxPolicy(data)
        let isolation = try Isolation(
            self.settings.isolation,
            among: self.settings.isolation == .host ? [:] : await Isolation.probe(policy: policy))
        logger.notice("\(isolation)")
        let supervisor = Supervisor(
            configuration: self.supervisorConfiguration(data),
            launcher: try isolation.launcher(policy: policy, groups: groups),
            output: InstanceLogBridge(hub: logs), logger: logger)
        let certificates = CertificateStore(settings: self.tlsSettings)
        let challenges = ACMEChallenges()
        let issuer = try self.settings.https.map { _ in
            try ACMEIssuer(
                self.settings.acme, certificates: certificates, challenges: challenges,
                storage: DirectoryACMEStorage(directory: data.acme), logger: logger)
        }
        let accessLog = try self.settings.accessLog.map { path in
            try AccessLogFile(path: path == "-" ? nil : FilePath(path), registry: registry, logger: logger)
        }
        var observers: [any RequestObserver] = [
            RequestBridge(hub: logs, signals: fiveSignals)
        ]
        if let accessLog {
            observers.append(AccessLog(share: self.settings.accessLogShare, names: names, file: accessLog))
        }
        let router = Router(
            configuration: self.routerConfiguration, certificates: certificates, challenges: challenges,
            observer: RequestObservers(observers), logger: logger)
        let runtime = LocalRuntime(
            configuration: .init(searchPath: self.settings.searchPath, executable: Self.executable),
            supervisor: supervisor, router: router, slugs: slugs)
        let platform = try Platform(
            configuration: self.platformConfiguration(data),
            store: SQLitePlatformStore(path: data.database),
            sealer: ConfigSealer(key: data.sealingKey()),
            builder: self.builder(data, logger), slugs: slugs, runtime: runtime,
            git: .init(root: data.repositories), logs: logs, signals: fiveSignals, registry: registry, names: names,
            sampler: ProcfsSampler(), certificates: certificates, issuer: issuer, logger: logger)
        try await platform.register(
            token: data.adminToken(), for: Principal(name: "admin", role: .admin))
        let api = APIServer(platform: platform, configuration: self.apiConfiguration(data), logger: logger)
        let announcement = Announcement(
            domain: self.settings.domain, tokenPath: data.adminTokenPath, router: router, api: api, platform: platform,
            onReady: self.onReady)

        // Stopped in the reverse order: first no more deployments, then no more requests, then the instances.
        var services: [any Service] = [LogWriting(hub: logs), supervisor]
        if let accessLog { services.append(accessLog) }
        services.append(RoutedRouter(router: router, platform: platform))
        if let issuer { services.append(issuer) }
        services += [api, platform] as [any Service]
        try await ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) }
                    + [.init(service: announcement, successTerminationBehavior: .ignore)],
                gracefulShutdownSignals: signals, logger: logger)
        ).run()
    }

    private func logConfiguration(_ data: DataDirectory) -> LogHub.Configuration {
        var configuration = LogHub.Configuration()
        configuration.directory = data.logs
        return configuration
    }

    private func supervisorConfiguration(_ data: DataDirectory) -> Supervisor.Configuration {
        var configuration = Supervisor.Configuration(stateDirectory: data.instances)
        configuration.portRange = self.settings.instancePorts
        configuration.onShutdown = self.settings.leaveRunning ? .leaveRunning : .stopAll
        return configuration
    }

    private func sandboxPolicy(_ data: DataDirectory) -> SandboxPolicy {
        var policy = SandboxPolicy()
        // Where machines have what does not come with the system: languages, mostly.
        policy.systemPaths.append("/opt")
        policy.binds = self.settings.sandboxShows.map { SandboxPolicy.Bind($0) }
        // Static sites are served by this program.
        if let executable = Self.executable { policy.binds.append(.init(FilePath(executable))) }
        policy.hiddenPaths = [data.path]
        return policy
    }

    private var routerConfiguration: Router.Configuration {
        var configuration = Router.Configuration(host: self.settings.http.host, port: self.settings.http.port)
        if let https = self.settings.https {
            configuration.listeners.append(.init(host: https.host, port: https.port, security: .tls))
        }
        configuration.trustedProxies = self.settings.trustedProxies
        return configuration
    }

    private var tlsSettings: TLSSettings {
        var settings = TLSSettings()
        // A certificate that is not for the host would help nobody, and look as if something was set up.
        settings.unknownHost = .refuse
        return settings
    }

    private func platformConfiguration(_ data: DataDirectory) -> Platform.Configuration {
        var configuration = Platform.Configuration(dataDirectory: data.path)
        configuration.domain = self.settings.domain
        // Before anything is served: applications with HTTPS enforced are so from the first request on.
        configuration.httpsAddress = self.settings.https.map { "\($0.host):\($0.port)" }
        configuration.stopGrace = self.settings.stopGrace
        configuration.drainGrace = self.settings.stopGrace
        configuration.bootTimeout = self.settings.bootTimeout
        configuration.startHold = self.settings.startHold
        if let killAt = self.settings.killAt {
            // For tests of what a crash leaves: the host ends at this step as if the power went.
            configuration.onJournal = { if $0.rawValue == killAt { kill(getpid(), SIGKILL) } }
        }
        return configuration
    }

    private func apiConfiguration(_ data: DataDirectory) -> APIServer.Configuration {
        var configuration = APIServer.Configuration(uploadDirectory: data.uploads)
        configuration.host = self.settings.admin.host
        configuration.port = self.settings.admin.port
        return configuration
    }

    private func builder(_ data: DataDirectory, _ logger: Logger) throws -> Builder {
        var configuration = Builder.Configuration()
        configuration.searchPath = self.settings.searchPath
        configuration.buildTimeout = self.settings.buildTimeout
        // Here the next start finds what this one may leave; it can hold config.
        configuration.temporaryDirectory = data.builds
        let added = self.settings.buildpacks.map { ClassicBuildpack(directory: $0) as any Buildpack }
        return Builder(
            configuration: configuration, buildpacks: added + Builder.builtInBuildpacks,
            sandbox: HostBuildSandbox(logger: logger),
            logger: logger)
    }

    private static var executable: String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }
}

/// Writes the logs to disk while the host runs, and what remains when it stops.
private struct LogWriting: Service {
    let hub: LogHub

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.hub.run() }
        await self.hub.flush()
    }
}
