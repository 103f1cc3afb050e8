/// What to execute: everything that a new process is given.
public struct ProcessSpec: Codable, Sendable, Hashable {
    /// The program and its arguments. A program without a slash is looked up in this spec's own `PATH`.
    public var arguments: [String]
    /// The complete environment; nothing is inherited from the host.
    public var environment: [String: String]
    /// An existing directory, absolute.
    public var workingDirectory: String
    /// What it may use.
    public var limits: ResourceLimits
    /// The user to become, or nil for the host's own.
    public var user: UserSpec?
    /// Directories of the host that it may write to and that stay when it has ended, absolute; in a sandbox they are there under
    /// their own paths. Its user has to have the right to. Nil: none.
    public var storage: [String]?

    /// Describes a process.
    public init(
        arguments: [String],
        environment: [String: String] = [:],
        workingDirectory: String,
        limits: ResourceLimits = ResourceLimits(),
        user: UserSpec? = nil,
        storage: [String]? = nil
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.limits = limits
        self.user = user
        self.storage = storage
    }
}

/// A user by number. Changing the user takes a host with that right.
public struct UserSpec: Codable, Sendable, Hashable {
    /// The user id.
    public var uid: UInt32
    /// The group id.
    public var gid: UInt32
    /// Further groups, at most 64; nil: none. Those of the host are dropped in any case.
    public var supplementaryGroups: [UInt32]?

    /// Names a user and its groups.
    public init(uid: UInt32, gid: UInt32, supplementaryGroups: [UInt32]? = nil) {
        self.uid = uid
        self.gid = gid
        self.supplementaryGroups = supplementaryGroups
    }
}
