import BuildpackKit
import Foundation
import GitReceiver
import Logging
import MetricsCore
import PlatformAPI
import PlatformKit
import ProcessSupervisor
import RouterACME
import RouterCore
import ServiceLifecycle
import SlugStore
import SystemPackage

/// The platform above the router, from the taking of the data directory to its release: this file is the example of how a
/// platform is made of its parts.
struct Generation {
    let platform: Platform
    let api: APIServer
    let supervisor: Supervisor
    /// Ended first: no more deployments and requests to the API.
    let front: ServiceGroup
    /// Ended last: the instances, which may still be serving.
    let back: ServiceGroup

    /// - Parameter adminSocket: the socket of the API of the generation before this one.
    init(
        _ parts: HostParts, settings: ServeSettings, data: DataDirectory, confinement: Confinement,
        groups: ControlGroups, adminSocket: CInt?,
        announcement: (APIServer, Platform) -> Announcement, logger: Logger
    ) async throws {
        let localSlugs = LocalSlugRepository(configuration: try settings.slugRepository(data), logger: logger)
        let remoteSlugs = try settings.slugs.map { try RemoteSlugs($0, local: localSlugs, logger: logger) }
        let slugs: any SlugRepository = remoteSlugs?.repository ?? localSlugs
        if settings.signsSlugs {
            let key = try settings.signer(data).publicKey.base64EncodedString()
            logger.notice("builds are signed with the key \(key)")
        }
        let (isolation, users) = (confinement.isolation, confinement.users)
        if users != nil, isolation.level == .host {
            try data.letApplicationsThrough()
        } else {
            try data.closeToApplications()
        }
        self.supervisor = Supervisor(
            configuration: settings.supervisor(data),
            launcher: try isolation.launcher(
                policy: confinement.policy, runtime: confinement.containers, groups: groups),
            output: InstanceLogBridge(hub: parts.logs), logger: logger)
        if settings.network != .shared { logger.notice("\(settings.network)") }
        let issuer = try settings.https.map { _ in
            try ACMEIssuer(
                settings.acme, certificates: parts.certificates, challenges: parts.challenges,
                storage: DirectoryACMEStorage(directory: data.acme), logger: logger)
        }
        let runtime = LocalRuntime(
            configuration: .init(searchPath: settings.searchPath, executable: Self.executable),
            supervisor: self.supervisor, router: parts.router, slugs: slugs)
        self.platform = try Platform(
            configuration: try settings.platform(
                data, users: users, treesAreShared: isolation.level == .host && users == nil),
            store: SQLitePlatformStore(path: data.database),
            sealer: ConfigSealer(key: data.sealingKey()), builder: settings.builder(data, logger), slugs: slugs,
            runtime: runtime, git: .init(root: data.repositories), logs: parts.logs, signals: parts.signals,
            registry: parts.registry, names: parts.names, sampler: ProcfsSampler(), certificates: parts.certificates,
            issuer: issuer, logger: logger)
        remoteSlugs?.serve(self.platform)
        try await self.platform.register(token: data.adminToken(), for: Principal(name: "admin", role: .admin))
        self.api = APIServer(
            platform: self.platform, configuration: settings.api(data, socket: adminSocket), logger: logger)
        // Stopped in the reverse order.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let issuer { services.append(.init(service: issuer)) }
        if let remoteSlugs { services.append(.init(service: remoteSlugs)) }
        services += [
            .init(service: APIAfterRouter(api: self.api, router: parts.router, waits: adminSocket != nil)),
            .init(service: self.platform),
        ]
        services.append(
            .init(service: announcement(self.api, self.platform), successTerminationBehavior: .ignore))
        self.front = ServiceGroup(configuration: .init(services: services, logger: logger))
        self.back = ServiceGroup(
            configuration: .init(
                services: [.init(service: LogWriting(hub: parts.logs)), .init(service: self.supervisor)],
                logger: logger))
    }

    static var executable: String? {
        guard var path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            return nil
        }
        // Replaced while it runs: the new one is under its name.
        let mark = " (deleted)"
        if path.hasSuffix(mark) { path.removeLast(mark.count) }
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }
}
