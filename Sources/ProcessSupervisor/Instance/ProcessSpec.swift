/// What to execute: everything that a new process is given.
public struct ProcessSpec: Codable, Sendable, Hashable {
    /// The program and its arguments. A program without a slash is looked up in this spec's own `PATH`.
    public var arguments: [String]
    /// The complete environment; nothing is inherited from the host.
    public var environment: [String: String]
    /// An existing directory, absolute.
    public var workingDirectory: String
    /// What each process may use.
    public var limits: ResourceLimits
    /// The user to become, or nil for the host's own.
    public var user: UserSpec?

    /// Describes a process.
    public init(
        arguments: [String],
        environment: [String: String] = [:],
        workingDirectory: String,
        limits: ResourceLimits = ResourceLimits(),
        user: UserSpec? = nil
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.limits = limits
        self.user = user
    }
}

/// A user by number. Supplementary groups are dropped; changing the user takes a host with that right.
public struct UserSpec: Codable, Sendable, Hashable {
    /// The user id.
    public var uid: UInt32
    /// The group id.
    public var gid: UInt32

    /// Names a user and a group.
    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }
}

/// What an instance may use; nil means the host's own limit.
///
/// `HostLauncher` sets them as resource limits (`setrlimit`), which hold for *each* process. A launcher with control
/// groups holds the instance as a whole to them. Core dumps are always off: they would hold the config's secrets.
public struct ResourceLimits: Codable, Sendable, Hashable {
    /// Bytes of private writable memory (`RLIMIT_DATA`: reserved address space does not count).
    public var memoryBytes: Int?
    /// Weight relative to other instances, 100 being normal. `HostLauncher` has nothing to set it with.
    public var cpuShare: Int?
    /// Processes and threads. The kernel counts them per user, so `HostLauncher` sets it only with a ``ProcessSpec/user``.
    public var maxProcesses: Int?
    /// Open descriptors.
    public var maxOpenFiles: Int?

    /// Describes limits.
    public init(
        memoryBytes: Int? = nil, cpuShare: Int? = nil, maxProcesses: Int? = nil, maxOpenFiles: Int? = nil
    ) {
        self.memoryBytes = memoryBytes
        self.cpuShare = cpuShare
        self.maxProcesses = maxProcesses
        self.maxOpenFiles = maxOpenFiles
    }
}
