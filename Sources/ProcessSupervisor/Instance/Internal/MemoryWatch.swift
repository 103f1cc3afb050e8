/// Tells from one look at an instance's memory to the next what is news.
struct MemoryWatch: Sendable {
    enum Finding: Sendable, Equatable {
        /// It has grown beyond its soft limit.
        case high(usedBytes: Int, softLimitBytes: Int)
        /// It has grown beyond what its recycling policy allows.
        case recyclable(usedBytes: Int, limitBytes: Int)
        /// The kernel has killed some of it.
        case killed(MemoryExcess)
    }

    private var isHigh = false
    private var isKilled = false

    mutating func look(at usage: InstanceUsage, limits: ResourceLimits, recycledBeyond limit: Int? = nil) -> Finding? {
        if usage.memoryKills > 0 {
            defer { self.isKilled = true }
            let excess = MemoryExcess(limitBytes: limits.memoryBytes, usedBytes: usage.peakMemoryBytes)
            return self.isKilled ? nil : .killed(excess)
        }
        guard let used = usage.memoryBytes else { return nil }
        // At each look: while it boots it is not recycled, and later it is.
        if let limit, used > limit { return .recyclable(usedBytes: used, limitBytes: limit) }
        guard let soft = limits.softMemoryBytes else { return nil }
        let wasHigh = self.isHigh
        // A tenth less is wanted before it is news again: around the limit there would be one at every look.
        self.isHigh = used >= (wasHigh ? soft - soft / 10 : soft)
        return self.isHigh && !wasHigh ? .high(usedBytes: used, softLimitBytes: soft) : nil
    }
}
