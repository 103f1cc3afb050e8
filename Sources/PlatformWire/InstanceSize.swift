/// A size that instances and one-offs can have: what one may use at most. Nothing said means: as much as there is.
public struct InstanceSize: Codable, Sendable, Hashable {
    /// The name by which it is chosen, such as `large`.
    public var name: String
    /// Bytes of memory, from 1 MiB; beyond, it is ended and started again.
    public var memoryBytes: Int?
    /// Weight when processors are short, 1 to 10,000, 100 being normal.
    public var cpuShare: Int?
    /// Processors, such as 0.5 or 2; beyond, it waits.
    public var cpuQuota: Double?
    /// Processes and threads.
    public var maxProcesses: Int?
    /// Open descriptors of each process.
    public var maxOpenFiles: Int?
    /// Bytes of files in each of the places that it has to write to, where these are its own: in a sandbox or a container.
    public var diskBytes: Int?

    /// Makes one from its parts.
    public init(
        name: String, memoryBytes: Int? = nil, cpuShare: Int? = nil, cpuQuota: Double? = nil,
        maxProcesses: Int? = nil, maxOpenFiles: Int? = nil,
        diskBytes: Int? = nil
    ) {
        self.name = name
        self.memoryBytes = memoryBytes
        self.cpuShare = cpuShare
        self.cpuQuota = cpuQuota
        self.maxProcesses = maxProcesses
        self.maxOpenFiles = maxOpenFiles
        self.diskBytes = diskBytes
    }

    /// No limits at all.
    public static let unlimited = InstanceSize(name: "unlimited")

    /// The sizes that a platform has if it is not told others.
    public static let standard: [InstanceSize] = [
        InstanceSize(
            name: "small", memoryBytes: 256 << 20, cpuShare: 50, cpuQuota: 0.5, maxProcesses: 128, maxOpenFiles: 1_024,
            diskBytes: 128 << 20),
        InstanceSize(
            name: "medium", memoryBytes: 512 << 20, cpuShare: 100, cpuQuota: 1, maxProcesses: 256, maxOpenFiles: 4_096,
            diskBytes: 256 << 20),
        InstanceSize(
            name: "large", memoryBytes: 1 << 30, cpuShare: 200, cpuQuota: 2, maxProcesses: 512, maxOpenFiles: 8_192,
            diskBytes: 512 << 20),
        InstanceSize(
            name: "huge", memoryBytes: 4 << 30, cpuShare: 400, cpuQuota: 4, maxProcesses: 2_048, maxOpenFiles: 16_384,
            diskBytes: 2 << 30),
        .unlimited,
    ]
}
