/// Which cell of a log-linear histogram a value falls into.
///
/// Values up to 63 have a cell each. Above, every power of two is divided into 32 cells of equal width, so that a cell's
/// middle is within 1/64 (1.6 %) of every value in it. All histograms share this layout: that is what makes them mergeable.
enum HistogramLayout {
    /// 2^5 cells per power of two.
    static let precisionBits = 5
    /// Cells are allocated by the chunk: one chunk per power of two.
    static let cellsPerChunk = 1 << precisionBits
    /// The largest value that keeps its magnitude; larger ones count as this one. As nanoseconds: 104 days.
    static let largestValue: Int64 = 1 << 53 - 1
    static let chunkCount = 53 - precisionBits + 1
    static let cellCount = chunkCount * cellsPerChunk

    /// The cell of `value`, which must be within `0...largestValue`.
    @inline(__always)
    static func index(of value: Int64) -> Int {
        if value < Int64(self.cellsPerChunk) { return Int(truncatingIfNeeded: value) }
        let exponent = 63 &- value.leadingZeroBitCount
        let shift = exponent &- self.precisionBits
        let cell = Int(truncatingIfNeeded: value &>> Int64(shift)) & (self.cellsPerChunk - 1)
        return (shift &+ 1) << self.precisionBits | cell
    }

    /// The smallest value of a cell.
    static func lowerBound(_ index: Int) -> Int64 {
        let chunk = index >> self.precisionBits
        let cell = Int64(index & (self.cellsPerChunk - 1))
        return chunk == 0 ? cell : (Int64(self.cellsPerChunk) + cell) << Int64(chunk - 1)
    }

    /// The number of values that share a cell.
    static func width(_ index: Int) -> Int64 {
        let chunk = index >> self.precisionBits
        return chunk <= 1 ? 1 : 1 << Int64(chunk - 1)
    }

    /// The value that stands for all values of a cell.
    static func middle(_ index: Int) -> Int64 {
        self.lowerBound(index) + (self.width(index) - 1) / 2
    }

    /// `value`, within what the layout can hold.
    @inline(__always)
    static func clamped(_ value: Int64) -> Int64 {
        value < 0 ? 0 : (value > self.largestValue ? self.largestValue : value)
    }
}
