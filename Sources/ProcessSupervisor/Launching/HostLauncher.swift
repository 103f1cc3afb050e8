import CProcessLauncher
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Starts processes plainly on this host, each instance in a control group where there are any, with nothing of the
/// host's: a session of their own, a clean mask of signals, no descriptor but the three, no privileges, another user if
/// wanted.
///
/// They see the host's file system, network and processes, as far as their user may.
public struct HostLauncher: Launcher {
    /// How a host launcher starts processes.
    public struct Configuration: Sendable, Hashable {
        /// Makes the whole host process a *subreaper*, so that a daemonised descendant of an instance becomes its child
        /// and is collected here. Children that other code waits for are left alone.
        public var adoptsOrphans: Bool
        /// Keeps instances from gaining rights by set-user-id programs and file capabilities.
        public var noNewPrivileges: Bool
        /// Takes every capability from instances, also from those that run as root: what root may do by its number alone
        /// remains.
        public var dropsCapabilities: Bool

        /// Describes how to start processes.
        public init(adoptsOrphans: Bool = true, noNewPrivileges: Bool = true, dropsCapabilities: Bool = true) {
            self.adoptsOrphans = adoptsOrphans
            self.noNewPrivileges = noNewPrivileges
            self.dropsCapabilities = dropsCapabilities
        }
    }

    let configuration: Configuration
    let groups: ControlGroups?
    /// Where instances are; nil: beside everything else on the host.
    private let sandbox: Sandbox?
    var isSandboxed: Bool { self.sandbox != nil }
    private let registry = OrphanRegistry()
    private let scanner = ProcessScanner()

    /// Makes a launcher.
    ///
    /// - Parameters:
    ///   - configuration: How it starts processes.
    ///   - groups: What limits, counts and ends instances as a whole; nil: resource limits and traces in `/proc` have to do.
    public init(configuration: Configuration = Configuration(), groups: ControlGroups? = nil) {
        self.init(configuration: configuration, groups: groups, sandbox: nil)
    }

    init(configuration: Configuration, groups: ControlGroups?, sandbox: Sandbox?) {
        self.configuration = configuration
        self.groups = groups
        self.sandbox = sandbox
    }

    /// Only in sandboxes.
    public var givesAddresses: Bool { self.sandbox?.givesAddresses ?? false }

    /// Becomes a subreaper, if asked to.
    public func prepare() throws(SupervisorError) -> [String] {
        let warnings = try self.sandbox?.prepare() ?? []
        guard self.configuration.adoptsOrphans else { return warnings }
        let error = slipway_become_subreaper()
        guard error == 0 else {
            throw SupervisorError(
                code: .launchFailed, message: "cannot become a subreaper: \(describe(errno: error))")
        }
        return warnings
    }

    /// Every ten seconds, as a subreaper or with control groups.
    public var sweepInterval: Duration? { self.configuration.adoptsOrphans || self.groups != nil ? .seconds(10) : nil }

    /// Collects ended orphans of instances, and groups that are left empty.
    public func sweep() async {
        if self.configuration.adoptsOrphans { self.registry.sweep() }
        self.groups?.sweep()
    }

    /// Ends and removes the groups of starts that nobody knows.
    public func endLeftovers(except startIDs: Set<String>) async {
        guard let groups else { return }
        for startID in groups.startIDs().subtracting(startIDs) {
            await groups.end(startID)
            self.endSandbox(of: startID)
        }
    }

    /// Starts a process. Throws `launchFailed` with the system's reason.
    public func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess {
        let process = request.process
        guard let name = process.arguments.first, !name.isEmpty else {
            throw SupervisorError(code: .launchFailed, message: "cannot execute: the list of arguments is empty")
        }
        let planned = try self.sandbox?.place(for: request)
        let path = try ExecutableSearch.find(name, for: process) { planned?.shows($0) ?? true }
        let output = try Self.open(request.output, for: process.user)
        if let user = process.user {
            let given = [
                request.input?.rawValue, output.owner == nil ? output.rawValue : nil,
                request.notification?.descriptor.rawValue,
            ]
            for given in given.compactMap(\.self) {
                Self.give(given, to: user, isTerminal: request.hasTerminal)
            }
        }
        let input: Descriptor? = request.input == nil ? try Self.open("/dev/null", O_RDONLY) : nil
        let place: Sandbox.Place?
        if let sandbox, let planned { place = try await sandbox.open(planned) } else { place = nil }
        let group: ControlGroup?
        do throws(SupervisorError) {
            group = try self.group(for: request)
        } catch {
            await self.discard(nil, place, of: request)
            throw error
        }
        let result: slipway_spawn_result
        // Until the process is in the registry, or there is none.
        self.registry.beginBirth(of: request.startID)
        defer { self.registry.endBirth(of: request.startID) }
        do throws(SupervisorError) {
            let standardInput = request.input?.rawValue ?? input?.rawValue ?? -1
            // That one may be kept from executing for a while.
            result =
                Self.isExposed(request, in: place)
                ? try await blocking { () throws(SupervisorError) in
                    try self.spawn(path, request, input: standardInput, output: output, group: group, place: place)
                }
                : try self.spawn(path, request, input: standardInput, output: output, group: group, place: place)
        } catch {
            await self.discard(group, place, of: request)
            throw error
        }
        // A descriptor is closed with its owner, and a number alone does not keep that alive.
        withExtendedLifetime((input, output.owner)) {}
        guard result.error == 0 else {
            await self.discard(group, place, of: request)
            throw Self.failure(result, name: name, process: process, place: place)
        }

        let pidfd = Descriptor(owning: result.pidfd)
        // The child is not reaped before it is released, so its line in /proc is there even if it has ended.
        let startTime = Procfs.process(result.pid)?.startTime ?? 0
        let tree = ProcessTree(leader: result.pid, leaderStart: startTime, startID: request.startID)
        return LaunchedProcess(
            pid: result.pid, startTime: startTime,
            handle: HostProcess(
                tree: tree, group: request.isBesideAnother ? nil : group, pidfd: pidfd, registry: self.registry,
                scanner: self.scanner, sandbox: HeldSandbox(owner: self.sandbox, started: result, in: place),
                network: place?.network), host: (place?.network?.address ?? .loopback).description)
    }

    /// A group of its own, or, for what is started on behalf of an instance, that one's.
    private func group(for request: LaunchRequest) throws(SupervisorError) -> ControlGroup? {
        let limits = request.process.limits
        if request.isBesideAnother { return self.groups?.find(request.instanceStartID, limits: limits) }
        return try self.groups?.make(for: request.startID, limits: limits)
    }

    private func discard(_ group: ControlGroup?, _ place: Sandbox.Place?, of request: LaunchRequest) async {
        if !request.isBesideAnother { group?.retire() }
        if let place { await self.sandbox?.discard(place) }
    }

    /// Takes over a recorded process by pidfd and start time; without a number, by its mark.
    public func adopt(_ record: InstanceRecord) async throws(SupervisorError) -> LaunchedProcess? {
        guard record.bootID == Procfs.bootID() else { return nil }
        var leader: ProcessEntry?
        if let pid = record.pid, let startTime = record.startTime {
            leader = Procfs.process(pid).flatMap { $0.startTime == startTime && !$0.hasEnded ? $0 : nil }
        } else {
            leader = ProcessTree.leader(in: Procfs.processes()) {
                ProcessTree.marks(of: $0).contains(record.startID)
            }
        }
        if let leader, let pidfd = Self.hold(leader) {
            let tree = ProcessTree(leader: leader.pid, leaderStart: leader.startTime, startID: record.startID)
            let network = HeldNetwork(of: leader.pid, pidfd)
            return LaunchedProcess(
                pid: leader.pid, startTime: leader.startTime,
                handle: HostProcess(
                    tree: tree, group: self.groups?.find(record.startID, limits: record.spec.process.limits),
                    pidfd: pidfd, registry: self.registry, scanner: self.scanner,
                    sandbox: HeldSandbox(owner: self.sandbox, of: record.startID, near: leader.pid),
                    network: network), host: (network?.address ?? .loopback).description)
        }
        await self.groups?.end(record.startID)
        self.endSandbox(of: record.startID)
        // Nobody has watched the number meanwhile, so only the mark is trusted.
        let rest = ProcessTree(leader: -1, leaderStart: 0, startID: record.startID)
        while true {
            let living = await HeldProcess.living(in: rest, scanner: self.scanner)
            if living.isEmpty { return nil }
            for process in living { process.signal(SIGKILL) }
            for process in living { await process.waitForEnd() }
            if Task.isCancelled { throw SupervisorError(code: .cancelled, message: "the adoption was cancelled") }
        }
    }

    /// Kills whoever is left in a sandbox, also of a former host's; that it is empty then is for others to wait for.
    private func endSandbox(of startID: String) {
        self.sandbox?.remove(startID)
        guard let initProcess = HeldSandbox(owner: nil, of: startID, near: nil).initProcess else { return }
        initProcess.signal(SIGKILL)
        self.registry.reapLater(initProcess)
    }

    private static func hold(_ entry: ProcessEntry) -> Descriptor? {
        let descriptor = slipway_pidfd_open(entry.pid)
        guard descriptor >= 0 else { return nil }
        let pidfd = Descriptor(owning: descriptor)
        return Procfs.process(entry.pid)?.startTime == entry.startTime ? pidfd : nil
    }
}

extension HostLauncher {
    private static func open(_ path: String, _ mode: Int32) throws(SupervisorError) -> Descriptor {
        let descriptor = path.withCString { openDescriptor($0, mode | O_CLOEXEC) }
        guard descriptor >= 0 else {
            throw SupervisorError(code: .launchFailed, message: "cannot open \(path): \(describe(errno: errno))")
        }
        return Descriptor(owning: descriptor)
    }

    private static func openDescriptor(_ path: UnsafePointer<CChar>, _ mode: Int32) -> Int32 {
        #if canImport(Musl)
            Musl.open(path, mode)
        #else
            Glibc.open(path, mode)
        #endif
    }

    private static func open(
        _ output: LaunchRequest.Output, for user: UserSpec?
    ) throws(SupervisorError) -> OutputDescriptor {
        switch output {
        case .descriptor(let file):
            return OutputDescriptor(rawValue: file.rawValue, owner: nil)
        case .discard:
            let descriptor = try Self.open("/dev/null", O_WRONLY)
            return OutputDescriptor(rawValue: descriptor.rawValue, owner: descriptor)
        case .fifo(let path):
            // For reading and writing: then the instance is itself the reader that keeps SIGPIPE away.
            let descriptor = try Self.open(path.string, O_RDWR)
            _ = slipway_grow_pipe(descriptor.rawValue, 1 << 20)
            // Programs open /dev/stdout by name, which asks for the right to the FIFO.
            if let user { _ = fchown(descriptor.rawValue, user.uid, user.gid) }
            return OutputDescriptor(rawValue: descriptor.rawValue, owner: descriptor)
        }
    }

    /// Programs open /dev/stdin and /dev/stdout by name, which asks for the right to what these are: made for the process, as
    /// pipes and its terminal are, they become its user's. A file, or a device that others have, does not.
    /// Whether somebody could keep it from executing: into a new sandbox nobody sees; in one that there is, its instance
    /// does, and without one, who has the same user.
    private static func isExposed(_ request: LaunchRequest, in place: Sandbox.Place?) -> Bool {
        request.isBesideAnother || (request.process.user != nil && place == nil)
    }

    private static func give(_ descriptor: Int32, to user: UserSpec, isTerminal: Bool) {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return }
        if information.st_mode & S_IFMT == S_IFIFO { _ = fchown(descriptor, user.uid, user.gid) }
        // Its group is that of all terminals.
        if isTerminal, isatty(descriptor) == 1 { _ = fchown(descriptor, user.uid, .max) }
    }

    private struct OutputDescriptor {
        var rawValue: Int32
        var owner: Descriptor?
    }

    private func spawn(
        _ path: String, _ request: LaunchRequest, input: Int32, output: OutputDescriptor, group: ControlGroup?,
        place: Sandbox.Place?
    ) throws(SupervisorError) -> slipway_spawn_result {
        let process = request.process
        var limits = process.limits.rlimits(hasUser: process.user != nil, groups: self.groups)
        limits.append(
            slipway_limit(resource: slipway_limit_resident, value: ProcessTree.brand(of: request.startID)))
        let joined = try group?.openForJoining() ?? []
        var variables = process.environment
        if let network = place?.network { variables[LaunchRequest.addressVariable] = network.address.description }
        let environment = variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let userGroups = process.user.map { [$0.gid] + ($0.supplementaryGroups ?? []) } ?? []
        var options = slipway_spawn_options()
        options.input = input
        options.output = output.rawValue
        options.notification = request.notification?.descriptor.rawValue ?? -1
        options.notification_number = request.notification?.number ?? 0
        options.controlling_terminal = request.hasTerminal ? 1 : 0
        options.is_exposed = Self.isExposed(request, in: place) ? 1 : 0
        options.change_user = process.user == nil ? 0 : 1
        options.uid = process.user?.uid ?? 0
        options.gid = process.user?.gid ?? 0
        // A sandbox could be left by who has rights; its filter cannot be set for them, either.
        options.no_new_privileges = self.configuration.noNewPrivileges || place != nil ? 1 : 0
        options.drop_capabilities = self.configuration.dropsCapabilities || place != nil ? 1 : 0
        return withCStrings(process.arguments) { arguments in
            withCStrings(environment) { environment in
                withCStrings([path, process.workingDirectory]) { paths in
                    withBuffers(limits, joined.map(\.rawValue), userGroups) { limits, joined, userGroups in
                        options.path = UnsafePointer(paths[0])
                        options.directory = UnsafePointer(paths[1])
                        options.argv = arguments
                        options.envp = environment
                        options.limits = limits.baseAddress
                        options.limit_count = limits.count
                        options.control_groups = joined.baseAddress
                        options.control_group_count = joined.count
                        options.groups = userGroups.baseAddress
                        options.group_count = userGroups.count
                        guard let place else { return slipway_spawn(&options) }
                        return place.withOptions { sandbox in
                            options.sandbox = sandbox
                            return slipway_spawn(&options)
                        }
                    }
                }
            }
        }
    }

    private static func failure(
        _ result: slipway_spawn_result, name: String, process: ProcessSpec, place: Sandbox.Place?
    ) -> SupervisorError {
        let reason = describe(errno: result.error)
        let message =
            switch UInt32(result.step) {
            case SLIPWAY_STEP_EXECUTE.rawValue:
                "cannot execute \(name): \(reason)"
                    + ExecuteFailure.hint(
                        result.error, name: name, process: process, isShown: { place?.shows($0) ?? true })
            case SLIPWAY_STEP_DIRECTORY.rawValue:
                "cannot execute \(name): no way into the working directory \(process.workingDirectory): \(reason)"
            case SLIPWAY_STEP_USER.rawValue:
                "cannot execute \(name) as user \(process.user?.uid ?? 0): \(reason) (the host needs the right to)"
            case SLIPWAY_STEP_GROUP.rawValue:
                "cannot execute \(name): going into its control group failed: \(reason)"
            case SLIPWAY_STEP_CAPABILITIES.rawValue:
                "cannot execute \(name): giving its capabilities up failed: \(reason)"
            case SLIPWAY_STEP_NAMESPACES.rawValue, SLIPWAY_STEP_MOUNT.rawValue, SLIPWAY_STEP_INIT.rawValue,
                SLIPWAY_STEP_FILTER.rawValue:
                "cannot execute \(name): making its sandbox failed\(place?.detail(of: result) ?? ""): \(reason)"
            case SLIPWAY_STEP_CLONE.rawValue where result.error == ETIMEDOUT:
                "cannot execute \(name): it was kept from that for 5 s, perhaps by the instance that it was started beside"
            case SLIPWAY_STEP_LIMIT.rawValue: "cannot execute \(name): setting its limits failed: \(reason)"
            default: "cannot execute \(name): starting a process failed: \(reason)"
            }
        return SupervisorError(code: .launchFailed, message: message, cause: Errno(rawValue: result.error))
    }
}
