/// Starts each instance in a container of its own, made by an OCI runtime such as `runc`, of the same ``SandboxPolicy`` that
/// ``SandboxLauncher`` makes its sandboxes of.
///
/// The runtime makes the container: its namespaces, its file system, its first process, which only is there. The instance is
/// then started in it by this process, as `runc exec` would, and not by the runtime: so it is a child of the host, whose end is
/// known as it was; it has the wanted descriptors, terminal and filter of system calls; it is not the first process of its
/// namespace, where signals without a handler have no effect and whose end would take along what it leaves to finish; why a
/// program cannot be executed is told in the same words as everywhere; and a probe's command does not cost a call of the
/// runtime. The runtime has ended when the instance begins: no process of its own stays for each instance.
///
/// Limits, users, output, adoption and what is left to an instance are as with ``SandboxLauncher``. Use it where another
/// program than this package has to be what makes the containers: starting one costs some ten times as much.
///
/// It takes Linux 5.12. A host that is not root has the containers made in user namespaces, where the system lets it, and cannot
/// give instances other users or networks of their own. ``Isolation/probe(policy:tree:user:runtime:)`` tries whether it works.
public struct OCILauncher: Launcher {
    private let launcher: HostLauncher
    private let containers: OCIContainers

    /// Makes a launcher.
    ///
    /// - Parameters:
    ///   - runtime: What makes the containers, and where.
    ///   - policy: What containers hold.
    ///   - adoptsOrphans: See ``HostLauncher/Configuration/adoptsOrphans``.
    ///   - groups: What limits, counts and ends instances as a whole; nil: resource limits have to do.
    ///   - clock: Measures how long the runtime takes.
    /// - Throws: `invalidSpec` when no container could be made of the policy, or by the runtime as it is described.
    public init(
        runtime: OCIRuntime, policy: SandboxPolicy = SandboxPolicy(), adoptsOrphans: Bool = true,
        groups: ControlGroups? = nil, clock: any Clock<Duration> = ContinuousClock()
    ) throws(SupervisorError) {
        try policy.validate()
        try runtime.validate()
        self.containers = OCIContainers(runtime, clock: clock)
        self.launcher = HostLauncher(
            configuration: HostLauncher.Configuration(adoptsOrphans: adoptsOrphans), groups: groups,
            sandbox: Sandbox(policy: policy, containers: self.containers))
    }

    /// Starts a process in a new container. Throws `launchFailed` with the runtime's or the system's reason.
    public func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess {
        try await self.launcher.launch(request)
    }

    /// Takes over a recorded process with its container.
    public func adopt(_ record: InstanceRecord) async throws(SupervisorError) -> LaunchedProcess? {
        try await self.launcher.adopt(record)
    }

    /// Becomes a subreaper, if asked to, and sets up the packet filter for networks of instances' own. Returns what it could not
    /// set up where instances are kept without, as things are.
    public func prepare() throws(SupervisorError) -> [String] { try self.launcher.prepare() }

    /// As the policy says.
    public var givesAddresses: Bool { self.launcher.givesAddresses }

    /// The same as on the host, and what files may take.
    public var enforcements: [LimitEnforcement] { self.launcher.enforcements }

    /// Ends the containers and the groups of starts that nobody knows.
    public func endLeftovers(except startIDs: Set<String>) async {
        await self.launcher.endLeftovers(except: startIDs)
        for startID in self.containers.startIDs().subtracting(startIDs) { await self.containers.end(startID) }
    }

    /// Every ten seconds: what is left of ended containers is removed.
    public var sweepInterval: Duration? { .seconds(10) }

    /// Collects ended orphans of instances and first processes of ended containers, and removes what is left of these.
    public func sweep() async {
        await self.launcher.sweep()
        await self.containers.sweep()
    }
}
