/// What an instance uses, counted for all of its processes; nil where nobody counts it.
public struct InstanceUsage: Codable, Sendable, Hashable {
    /// Bytes of memory now.
    public var memoryBytes: Int?
    /// The most bytes of memory that it has had since its process was started.
    public var peakMemoryBytes: Int?
    /// How many of its processes the kernel has killed for their memory.
    public var memoryKills: Int
    /// Processes and threads now.
    public var processes: Int?
    /// The time on processors since its process was started.
    public var cpuTime: Duration?

    /// Describes a use.
    public init(
        memoryBytes: Int? = nil, peakMemoryBytes: Int? = nil, memoryKills: Int = 0, processes: Int? = nil,
        cpuTime: Duration? = nil
    ) {
        self.memoryBytes = memoryBytes
        self.peakMemoryBytes = peakMemoryBytes
        self.memoryKills = memoryKills
        self.processes = processes
        self.cpuTime = cpuTime
    }
}

/// The memory that a process was killed for.
public struct MemoryExcess: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The instance's limit; nil when it was not that which was hit, but the machine's memory or the limit of a group above.
    public var limitBytes: Int?
    /// The most that the instance had; nil when nobody counted it.
    public var usedBytes: Int?

    /// Describes an excess.
    public init(limitBytes: Int?, usedBytes: Int?) {
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
    }

    /// Such as "out of memory: 512 MB limit, 530 MB at the time".
    public var description: String {
        let limit = self.limitBytes.map { "\(Self.megabytes($0)) limit" } ?? "the machine has no more"
        return "out of memory: \(limit)" + (self.usedBytes.map { ", \(Self.megabytes($0)) at the time" } ?? "")
    }

    /// As operators write limits: a megabyte is 1,048,576 bytes.
    static func megabytes(_ bytes: Int) -> String { "\((bytes + 524_288) / 1_048_576) MB" }
}
