/// Starts each instance in a sandbox of its own: namespaces for mounts, processes, System V IPC and the host's name, a file
/// system made of what a ``SandboxPolicy`` shows, a filter of system calls, no rights.
///
/// An instance finds the host's programs and libraries, read-only; its own application's tree, under a layer of its own that takes
/// what it changes; a `/tmp` and a home of its own, all bounded; the usual devices; and nobody but itself in `/proc`. The network is the host's, so that the router
/// reaches its port as without a sandbox, or one of its own. What is started on behalf of an instance, as a probe's command is, is started in
/// that one's sandbox.
///
/// Everything else is as with ``HostLauncher``: control groups, limits, users, output, and that instances outlive the host.
///
/// It takes Linux 5.12. A host that is not root makes the sandboxes in user namespaces, where the system lets it, and cannot
/// give instances other users. ``Isolation/probe(policy:tree:user:runtime:)`` tries whether it works.
public struct SandboxLauncher: Launcher {
    private let launcher: HostLauncher

    /// Makes a launcher.
    ///
    /// - Parameters:
    ///   - policy: What sandboxes hold.
    ///   - adoptsOrphans: See ``HostLauncher/Configuration/adoptsOrphans``.
    ///   - groups: What limits, counts and ends instances as a whole; nil: resource limits have to do.
    /// - Throws: `invalidSpec` when no sandbox could be made of the policy.
    public init(
        policy: SandboxPolicy = SandboxPolicy(), adoptsOrphans: Bool = true, groups: ControlGroups? = nil
    ) throws(SupervisorError) {
        try policy.validate()
        self.launcher = HostLauncher(
            configuration: HostLauncher.Configuration(adoptsOrphans: adoptsOrphans), groups: groups,
            sandbox: Sandbox(policy: policy))
    }

    /// Starts a process in a new sandbox. Throws `launchFailed` with the system's reason.
    public func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess {
        try await self.launcher.launch(request)
    }

    /// Takes over a recorded process with its sandbox.
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

    /// Ends and removes the groups of starts that nobody knows, and what is in their sandboxes.
    public func endLeftovers(except startIDs: Set<String>) async { await self.launcher.endLeftovers(except: startIDs) }

    /// Every ten seconds: the first processes of ended sandboxes are collected.
    public var sweepInterval: Duration? { .seconds(10) }

    /// Collects ended orphans of instances, first processes of ended sandboxes, and groups that are left empty.
    public func sweep() async { await self.launcher.sweep() }
}
