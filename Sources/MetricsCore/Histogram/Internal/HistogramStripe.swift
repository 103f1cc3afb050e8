internal import Synchronization

/// One thread's share of a ``Histogram``: cells that are allocated by the power of two, when the first value falls there.
///
/// Latencies of one application span about ten powers of two, so a stripe costs about 3 KiB, not the 12 KiB of all cells.
struct HistogramStripe: ~Copyable, @unchecked Sendable {
    // Sendable: all that changes is atomic, also what `chunks` points to.
    private typealias Cell = Atomic<UInt64>
    private typealias Chunk = Atomic<UnsafeMutablePointer<Atomic<UInt64>>?>

    private let sum = Atomic<UInt64>(0)
    private let smallest = Atomic<Int64>(.max)
    private let largest = Atomic<Int64>(-1)
    /// Installed by compare-and-exchange, never replaced, freed by `deinit` alone.
    private let chunks: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<Atomic<UInt64>>?>>
    // Neighbouring stripes lie side by side in memory; without this their sums would share a cache line.
    private let padding:
        (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    init() {
        self.chunks = .allocate(capacity: HistogramLayout.chunkCount)
        for index in 0..<HistogramLayout.chunkCount { (self.chunks + index).initialize(to: Chunk(nil)) }
        self.padding = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    }

    deinit {
        for index in 0..<HistogramLayout.chunkCount {
            guard let cells = self.chunks[index].load(ordering: .acquiring) else { continue }
            Self.free(cells)
        }
        self.chunks.deinitialize(count: HistogramLayout.chunkCount)
        self.chunks.deallocate()
    }

    /// Counts `value`, which must be within the layout's range.
    @inline(__always)
    borrowing func record(_ value: Int64) {
        let index = HistogramLayout.index(of: value)
        let chunk = index >> HistogramLayout.precisionBits
        let cells = self.chunks[chunk].load(ordering: .acquiring) ?? self.install(chunk)
        cells[index & (HistogramLayout.cellsPerChunk - 1)].wrappingAdd(1, ordering: .relaxed)
        self.sum.wrappingAdd(UInt64(truncatingIfNeeded: value), ordering: .relaxed)
        // Reading first keeps the usual case free of a second and third read-modify-write.
        if value > self.largest.load(ordering: .relaxed) { self.largest.max(value, ordering: .relaxed) }
        if value < self.smallest.load(ordering: .relaxed) { self.smallest.min(value, ordering: .relaxed) }
    }

    /// Adds this stripe's counts to `dense`, one element per cell.
    borrowing func add(to dense: inout [UInt64], sum: inout UInt64, smallest: inout Int64, largest: inout Int64) {
        for chunk in 0..<HistogramLayout.chunkCount {
            guard let cells = self.chunks[chunk].load(ordering: .acquiring) else { continue }
            let base = chunk << HistogramLayout.precisionBits
            for cell in 0..<HistogramLayout.cellsPerChunk {
                dense[base + cell] += cells[cell].load(ordering: .relaxed)
            }
        }
        sum &+= self.sum.load(ordering: .relaxed)
        smallest = min(smallest, self.smallest.load(ordering: .relaxed))
        largest = max(largest, self.largest.load(ordering: .relaxed))
    }

    @inline(never)
    private borrowing func install(_ chunk: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let cells = UnsafeMutablePointer<Cell>.allocate(capacity: HistogramLayout.cellsPerChunk)
        for index in 0..<HistogramLayout.cellsPerChunk { (cells + index).initialize(to: Cell(0)) }
        let (exchanged, winner) = self.chunks[chunk].compareExchange(
            expected: nil, desired: cells, ordering: .acquiringAndReleasing)
        if exchanged { return cells }
        Self.free(cells)
        // The exchange fails only when another thread has installed a chunk, and chunks are never taken away again.
        return winner.unsafelyUnwrapped
    }

    private static func free(_ cells: UnsafeMutablePointer<Atomic<UInt64>>) {
        cells.deinitialize(count: HistogramLayout.cellsPerChunk)
        cells.deallocate()
    }
}
