/// What an instance may use; nil means: as much as there is.
///
/// Memory, processors and processes are limited for the instance *as a whole* where the launcher has control groups for
/// it (see ``ControlGroups``), and otherwise, as far as resource limits (`setrlimit`) go, for *each* of its processes;
/// ``Launcher/enforcements`` tells which. Core dumps are always off: they would hold the config's secrets.
public struct ResourceLimits: Codable, Sendable, Hashable {
    /// Bytes of memory, at least 1 MiB; beyond, the kernel kills. In a control group: everything that its processes
    /// have and the files that they keep in memory. Otherwise: private writable memory (`RLIMIT_DATA`; reserved address
    /// space does not count), and what is beyond is refused rather than killed for.
    public var memoryBytes: Int?
    /// Bytes of memory beyond which an event tells of it, at most ``memoryBytes``. Needs a control group.
    public var softMemoryBytes: Int?
    /// Weight relative to other instances when processors are short, 1 to 10,000, 100 being normal. Needs a control
    /// group.
    public var cpuShare: Int?
    /// Processors, such as 0.5 or 2, 0.01 to 10,000; beyond, its processes wait. Needs a control group.
    public var cpuQuota: Double?
    /// Processes and threads, at least 1. Without a control group the kernel counts them per user, so that it is set only
    /// with a ``ProcessSpec/user``.
    public var maxProcesses: Int?
    /// Open descriptors of each process, at least 3; no more than the host itself may have.
    public var maxOpenFiles: Int?
    /// Bytes of files in each of the places that an instance has to write to, at least 64 KiB: the layer over its tree, `/tmp`
    /// and its home; beyond, its writes fail (`ENOSPC`). They are memory, so that ``memoryBytes`` is for all of them together.
    /// Needs a sandbox or a container, whose ``SandboxPolicy`` says how many it is where nothing is said here.
    public var diskBytes: Int?

    /// Describes limits.
    public init(
        memoryBytes: Int? = nil, softMemoryBytes: Int? = nil, cpuShare: Int? = nil, cpuQuota: Double? = nil,
        maxProcesses: Int? = nil, maxOpenFiles: Int? = nil, diskBytes: Int? = nil
    ) {
        self.memoryBytes = memoryBytes
        self.softMemoryBytes = softMemoryBytes
        self.cpuShare = cpuShare
        self.cpuQuota = cpuQuota
        self.maxProcesses = maxProcesses
        self.maxOpenFiles = maxOpenFiles
        self.diskBytes = diskBytes
    }
}

extension ResourceLimits {
    /// Refuses what no launcher could hold.
    func validate() throws(SupervisorError) {
        try Self.check(self.memoryBytes, in: 1 << 20...1 << 50, "memoryBytes")
        try Self.check(self.softMemoryBytes, in: 1 << 20...(self.memoryBytes ?? 1 << 50), "softMemoryBytes")
        try Self.check(self.cpuShare, in: 1...10_000, "cpuShare")
        try Self.check(self.cpuQuota, in: 0.01...10_000, "cpuQuota")
        try Self.check(self.maxProcesses, in: 1...4_194_304, "maxProcesses")
        try Self.check(self.maxOpenFiles, in: 3...1 << 30, "maxOpenFiles")
        try Self.check(self.diskBytes, in: 64 << 10...1 << 50, "diskBytes")
    }

    private static func check<Number: Comparable>(
        _ value: Number?, in range: ClosedRange<Number>, _ name: String
    ) throws(SupervisorError) {
        guard let value, !range.contains(value) else { return }
        throw .invalid("the limit \(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
    }
}
