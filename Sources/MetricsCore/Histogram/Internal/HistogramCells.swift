/// A histogram for one owner at a time: no atomics, emptied and filled again without allocating.
struct HistogramCells: Sendable {
    /// As long as the highest cell that ever was occupied needs it, by whole powers of two.
    private var counts: [UInt32] = []
    private var sum: UInt64 = 0
    private var smallest = Int64.max
    private var largest: Int64 = -1

    @inline(__always)
    mutating func record(_ value: Int64) {
        let value = HistogramLayout.clamped(value)
        let index = HistogramLayout.index(of: value)
        if index >= self.counts.count { self.grow(to: index) }
        self.counts[index] &+= 1
        self.sum &+= UInt64(truncatingIfNeeded: value)
        if value > self.largest { self.largest = value }
        if value < self.smallest { self.smallest = value }
    }

    /// The content, which is then gone from here.
    mutating func drain() -> HistogramSnapshot {
        let snapshot = HistogramSnapshot(
            dense: self.counts, sum: self.sum, smallest: self.smallest, largest: self.largest)
        for index in self.counts.indices { self.counts[index] = 0 }
        (self.sum, self.smallest, self.largest) = (0, .max, -1)
        return snapshot
    }

    @inline(never)
    private mutating func grow(to index: Int) {
        let chunk = HistogramLayout.cellsPerChunk
        let count = (index / chunk + 1) * chunk
        self.counts.append(contentsOf: repeatElement(0, count: count - self.counts.count))
    }
}
