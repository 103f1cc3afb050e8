import BuildpackKit
import Foundation
import GitReceiver
import Logging
import MetricsCore
import PlatformAPI
import PlatformKit
import PlatformWire
import ProcessSupervisor
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
        let supervisor = Supervisor(
            configuration: self.supervisorConfiguration(data), launcher: HostLauncher(),
            output: InstanceLogBridge(hub: logs), logger: logger)
        let router = Router(
            configuration: self.routerConfiguration,
            observer: RequestBridge(hub: logs, signals: fiveSignals, registry: registry, names: names), logger: logger)
        let runtime = LocalRuntime(
            configuration: .init(searchPath: self.settings.searchPath, executable: Self.executable),
            supervisor: supervisor, router: router, slugs: slugs)
        let platform = try Platform(
            configuration: self.platformConfiguration(data),
            store: SQLitePlatformStore(path: data.database),
            sealer: ConfigSealer(key: data.sealingKey()),
            builder: self.builder(data, logger), slugs: slugs, runtime: runtime,
            git: .init(root: data.repositories), logs: logs, signals: fiveSignals, registry: registry, names: names,
            sampler: ProcfsSampler(), logger: logger)
        try await platform.register(
            token: data.adminToken(), for: Principal(name: "admin", role: .admin))
        let api = APIServer(platform: platform, configuration: self.apiConfiguration(data), logger: logger)
        let announcement = Announcement(
            domain: self.settings.domain, tokenPath: data.adminTokenPath, router: router, api: api, platform: platform,
            onReady: self.onReady)

        // Stopped in the reverse order: first no more deployments, then no more requests, then the instances.
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: LogWriting(hub: logs)), .init(service: supervisor), .init(service: router),
                    .init(service: api), .init(service: platform),
                    .init(service: announcement, successTerminationBehavior: .ignore),
                ],
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

    private var routerConfiguration: Router.Configuration {
        Router.Configuration(host: self.settings.http.host, port: self.settings.http.port)
    }

    private func platformConfiguration(_ data: DataDirectory) -> Platform.Configuration {
        var configuration = Platform.Configuration(dataDirectory: data.path)
        configuration.domain = self.settings.domain
        configuration.stopGrace = self.settings.stopGrace
        configuration.drainGrace = self.settings.stopGrace
        configuration.bootTimeout = self.settings.bootTimeout
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
