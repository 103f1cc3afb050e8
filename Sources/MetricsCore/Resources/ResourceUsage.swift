/// What a tree of processes uses.
public struct ResourceUsage: Codable, Sendable, Hashable {
    /// The memory that is in RAM, in bytes. Pages that processes share count once for each.
    public var residentBytes: Int64
    /// The CPU time used since the start, of children that have ended too.
    public var cpuTime: Duration
    /// How many processes there are.
    public var processes: Int
    /// How many descriptors they have open; `nil` when that could not be seen.
    public var openFiles: Int?

    /// Makes a value.
    public init(residentBytes: Int64, cpuTime: Duration, processes: Int, openFiles: Int? = nil) {
        self.residentBytes = residentBytes
        self.cpuTime = cpuTime
        self.processes = processes
        self.openFiles = openFiles
    }

    /// The CPU time in seconds.
    public var cpuSeconds: Double { self.cpuTime / .seconds(1) }
}
