/// Tells from one look at an instance's memory to the next what is news.
struct MemoryWatch: Sendable {
    enum Finding: Sendable, Equatable {
        /// It has grown beyond its soft limit.
        case high(usedBytes: Int, softLimitBytes: Int)
        /// The kernel has killed some of it.
        case killed(MemoryExcess)
    }

    private var isHigh = false
    private var isKilled = false

    mutating func look(at usage: InstanceUsage, limits: ResourceLimits) -> Finding? {
        if usage.memoryKills > 0 {
            defer { self.isKilled = true }
            let excess = MemoryExcess(limitBytes: limits.memoryBytes, usedBytes: usage.peakMemoryBytes)
            return self.isKilled ? nil : .killed(excess)
        }
        guard let soft = limits.softMemoryBytes, let used = usage.memoryBytes else { return nil }
        let wasHigh = self.isHigh
        // A tenth less is wanted before it is news again: around the limit there would be one at every look.
        self.isHigh = used >= (wasHigh ? soft - soft / 10 : soft)
        return self.isHigh && !wasHigh ? .high(usedBytes: used, softLimitBytes: soft) : nil
    }
}
