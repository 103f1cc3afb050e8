/// What holds a limit of ``ResourceLimits``, and for whom.
public struct LimitEnforcement: Sendable, Hashable {
    /// What is limited.
    public enum Limit: String, Sendable, CaseIterable {
        /// ``ResourceLimits/memoryBytes``.
        case memory
        /// ``ResourceLimits/softMemoryBytes``.
        case softMemory
        /// ``ResourceLimits/cpuShare`` and ``ResourceLimits/cpuQuota``.
        case cpu
        /// ``ResourceLimits/maxProcesses``.
        case processes
        /// ``ResourceLimits/maxOpenFiles``.
        case openFiles
        /// ``ResourceLimits/diskBytes``.
        case disk
        /// Core dumps, which are off.
        case coreDumps
    }

    /// For whom a limit holds.
    public enum Scope: String, Sendable {
        /// For all processes of the instance together.
        case instance
        /// For each process, so that an instance may use a multiple.
        case process
        /// For all processes of its user together.
        case user
        /// For nobody.
        case none
    }

    /// What is limited.
    public var limit: Limit
    /// For whom.
    public var scope: Scope
    /// What holds it, such as "memory, version 2, /sys/fs/cgroup/platform", and where that is not the best there could be, why.
    public var means: String

    /// Describes how a limit is held.
    public init(limit: Limit, scope: Scope, means: String) {
        self.limit = limit
        self.scope = scope
        self.means = means
    }
}
