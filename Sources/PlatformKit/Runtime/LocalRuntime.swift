internal import BuildpackKit
public import MetricsCore
internal import PlatformWire
public import ProcessSupervisor
public import RouterCore
public import SlugStore
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Runs releases on this machine: slugs from a repository, processes under a supervisor, requests through a router.
public final class LocalRuntime: WorkloadRuntime {
    /// What the runtime adds to the environment of every instance.
    public struct Configuration: Sendable {
        /// The `PATH` of instances.
        public var searchPath: String
        /// A program with the subcommand `static-server`, which static sites are served by (`SLIPWAY_EXECUTABLE`).
        public var executable: String?
        /// How many requests of one application wait at once for its first instance: 1,000. Further ones are answered 503.
        public var maxHeldRequests = 1_000
        /// How many bytes of them are kept: 16 MiB. Further ones are answered 503.
        public var maxHeldBytes = 16 << 20

        /// Makes one from its parts.
        public init(searchPath: String, executable: String?) {
            self.searchPath = searchPath
            self.executable = executable
        }
    }

    private let configuration: Configuration
    private let supervisor: Supervisor
    private let router: Router
    private let slugs: any SlugRepository

    /// Makes a runtime of its parts; the supervisor and the router are run by the caller.
    public init(configuration: Configuration, supervisor: Supervisor, router: Router, slugs: any SlugRepository) {
        self.configuration = configuration
        self.supervisor = supervisor
        self.router = router
        self.slugs = slugs
    }

    /// Returns when the supervisor has adopted what a former host left.
    public func waitUntilAdopted() async throws {
        try await self.supervisor.waitUntilAdopted()
    }

    /// The instances of an application that the supervisor has, in any state.
    public func instances(of applicationID: String) -> [WorkloadInstance] {
        self.supervisor.statuses().compactMap(WorkloadInstance.init(status:)).filter {
            $0.applicationID == applicationID
        }
    }

    /// The applications that have instances here.
    public func applicationIDs() -> Set<String> {
        Set(self.supervisor.statuses().compactMap { $0.labels[InstanceLabel.application] })
    }

    /// All instances that the supervisor has, in any state.
    public func instancesByApplication() -> [String: [WorkloadInstance]] {
        Dictionary(grouping: self.supervisor.statuses().compactMap(WorkloadInstance.init(status:)), by: \.applicationID)
    }

    /// Materialises the slug and starts a process in it.
    ///
    /// - Throws: `refused` when the slug cannot be unpacked or the process cannot be started.
    public func start(_ request: WorkloadRequest) async throws(PlatformError) -> WorkloadInstance {
        let spec = InstanceSpec(request, process: try await self.process(for: request))
        do {
            let status = try await self.supervisor.start(spec)
            guard let instance = WorkloadInstance(status: status) else {
                throw SupervisorError(code: .launchFailed, message: "the supervisor lost the labels of \(spec.id)")
            }
            return instance
        } catch {
            throw PlatformError(.refused, "\(request.name) cannot be started: \(error)", cause: error)
        }
    }

    /// Returns when the instance is ready.
    ///
    /// - Throws: `refused` with the cause and the last lines of output.
    public func waitUntilReady(_ id: String) async throws(PlatformError) {
        do throws(SupervisorError) {
            try await self.supervisor.waitUntilReady(InstanceID(id))
        } catch {
            throw PlatformError(
                .refused, Self.withoutID(error.message, id), details: error.lastLines, cause: error)
        }
    }

    /// People know an instance by its name; whoever reports the failure puts that in front.
    private static func withoutID(_ message: String, _ id: String) -> String {
        message.hasPrefix(id + " ") ? String(message.dropFirst(id.count + 1)) : message
    }

    /// Stops the whole process tree of an instance and forgets it.
    public func stop(_ id: String) async {
        _ = await self.supervisor.stop(InstanceID(id))
    }

    /// Ends the present process of an instance and starts it again.
    public func restart(_ id: String) async throws(PlatformError) {
        do throws(SupervisorError) {
            try await self.supervisor.restart(InstanceID(id))
        } catch {
            throw PlatformError(.refused, error.message, cause: error)
        }
    }

    /// Routes the hosts to the addresses and ports that these instances have now.
    ///
    /// - Throws: `conflict` when another application has one of the hosts.
    public func setRoute(_ route: WorkloadRoute) throws(PlatformError) {
        let backends = route.instances.compactMap { id -> Backend? in
            guard let status = self.supervisor.status(of: InstanceID(id)), let host = status.host,
                let port = status.port
            else { return nil }
            return Backend(id: BackendID(id), address: .ip(host: host, port: port))
        }
        var application = ApplicationRoute(
            application: route.applicationID, hosts: route.hosts, backends: backends,
            mode: route.maintenance ? .maintenance(html: nil) : .serving)
        if let time = route.hold {
            var hold = HoldPolicy()
            hold.timeout = time
            hold.maxRequests = self.configuration.maxHeldRequests
            hold.maxBytes = self.configuration.maxHeldBytes
            application.hold = hold
        }
        application.policy = route.https.flatMap(Self.policy)
        do {
            try self.router.setRoute(application)
        } catch {
            throw PlatformError(.conflict, "\(error)", cause: error)
        }
    }

    private static func policy(_ https: WorkloadRoute.HTTPS) -> RoutePolicy? {
        guard https.isEnforced || https.strictFor != nil else { return nil }
        var policy = RoutePolicy()
        if https.isEnforced {
            policy.https = HTTPSEnforcement()
            policy.https?.port = UInt16(clamping: https.port)
        }
        if let time = https.strictFor {
            policy.strictTransportSecurity = StrictTransportSecurity()
            policy.strictTransportSecurity?.maxAge = time
        }
        return policy
    }

    /// What the router has counted.
    public func readings(names: ApplicationNames) async -> [MetricReading] {
        RouterReadings(
            await self.router.traffic(), inFlight: { self.router.inFlight(application: $0) }, names: names
        ).all
    }

    /// Forgets the route.
    public func removeRoute(of applicationID: String) {
        self.router.removeRoute(application: applicationID)
    }

    /// Waits until nothing is in flight to the instances, or the grace is over.
    public func drain(_ ids: [String], grace: Duration) async {
        _ = await self.router.drain(Set(ids.map { BackendID($0) }), grace: grace)
    }

    /// Runs a command in the slug; delivers all of its output before it returns.
    ///
    /// - Throws: `refused` when it cannot be started, takes longer than the timeout, or the task is cancelled.
    public func runOneOff(
        _ request: WorkloadRequest, timeout: Duration?, session: OneOffSession
    ) async throws(PlatformError) -> WorkloadExit {
        var process = try await self.process(for: request)
        if session.window != nil { process.environment["TERM"] = process.environment["TERM"] ?? "xterm-256color" }
        let id = InstanceID(InstanceLabel.id(for: request))
        do throws(SupervisorError) {
            // Without the labels of an instance: a one-off has no place in the formation.
            let exit = try await self.supervisor.runOneOff(
                process, id: id, labels: [:], timeout: timeout, terminal: session.terminal, output: session.output,
                input: session.input.map { AsyncStream(unfolding: $0) })
            switch exit {
            case .exited(let status): return WorkloadExit(status: status, description: "\(exit)")
            case .signalled(let signal): return WorkloadExit(status: 128 + signal, description: "\(exit)")
            case .outOfMemory: return WorkloadExit(status: 128 + 9, description: "\(exit)")
            case .unknown: return WorkloadExit(status: 255, description: "\(exit)")
            }
        } catch {
            throw PlatformError(
                .refused, "\(request.name) " + Self.withoutID(error.message, id.rawValue), details: error.lastLines,
                cause: error)
        }
    }

    /// What happens to instances that carry the labels of one.
    public func events() -> AsyncStream<WorkloadEvent> {
        let (stream, continuation) = AsyncStream<WorkloadEvent>.makeStream(bufferingPolicy: .bufferingNewest(10_000))
        let source = self.supervisor.events()
        let task = Task {
            for await event in source {
                guard let event = WorkloadEvent(event: event) else { continue }
                continuation.yield(event)
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func process(for request: WorkloadRequest) async throws(PlatformError) -> ProcessSpec {
        guard let slugID = SlugID(request.slug) else {
            throw PlatformError(.internalError, "\(request.slug) is no identifier of a slug")
        }
        let home: FilePath
        do {
            home = try await self.slugs.materialise(slugID).path
        } catch {
            throw PlatformError(.refused, "the slug of v\(request.release) cannot be unpacked: \(error)", cause: error)
        }
        var environment = request.environment
        environment["HOME"] = home.string
        environment["PATH"] = environment["PATH"] ?? self.configuration.searchPath
        environment["LANG"] = environment["LANG"] ?? "C.UTF-8"
        environment["SLIPWAY_STORAGE"] = request.storage
        environment["SLIPWAY_EXECUTABLE"] = self.configuration.executable
        let arguments =
            switch request.command {
            case .shell(let line): LaunchCommand.arguments(for: line)
            case .arguments(let words): LaunchCommand.arguments(of: words)
            }
        return ProcessSpec(
            arguments: arguments, environment: environment, workingDirectory: home.string,
            limits: ResourceLimits(request.size), user: request.user.map { UserSpec(uid: $0, gid: $0) },
            storage: request.storage.map { [$0] })
    }
}

extension ResourceLimits {
    init(_ size: InstanceSize) {
        self.init(
            memoryBytes: size.memoryBytes, cpuShare: size.cpuShare, cpuQuota: size.cpuQuota,
            maxProcesses: size.maxProcesses, maxOpenFiles: size.maxOpenFiles,
            diskBytes: size.diskBytes)
    }
}

extension OneOffSession {
    fileprivate var terminal: OneOffTerminal? {
        self.window.map { window in
            OneOffTerminal(
                size: TerminalSize(window),
                resizes: self.windows.map { next in AsyncStream { await next().map { TerminalSize($0) } } })
        }
    }
}

extension TerminalSize {
    fileprivate init(_ window: TerminalWindow) {
        self.init(columns: UInt16(clamping: window.columns), rows: UInt16(clamping: window.rows))
    }
}
