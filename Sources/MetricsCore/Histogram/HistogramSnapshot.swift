/// The content of a ``Histogram`` at one moment, as a value: mergeable, comparable, storable.
///
/// Values are nanoseconds unless the histogram's owner says otherwise.
public struct HistogramSnapshot: Sendable, Hashable, Codable {
    struct Cell: Sendable, Hashable, Codable {
        var index: UInt16
        var count: UInt64
    }

    /// Occupied cells only, by ascending index.
    private(set) var cells: [Cell]
    private var sumOfValues: UInt64
    private var smallest: Int64
    private var largest: Int64

    /// An empty snapshot, to merge others into.
    public init() {
        self.cells = []
        self.sumOfValues = 0
        self.smallest = .max
        self.largest = -1
    }

    init(dense: [some FixedWidthInteger & UnsignedInteger & Sendable], sum: UInt64, smallest: Int64, largest: Int64) {
        self.cells = []
        for (index, count) in dense.enumerated() where count > 0 {
            self.cells.append(Cell(index: UInt16(index), count: UInt64(count)))
        }
        self.sumOfValues = sum
        self.smallest = smallest
        self.largest = largest
    }

    /// How many values were recorded.
    public var count: Int {
        Int(clamping: self.cells.reduce(0 as UInt64) { $0 &+ $1.count })
    }

    /// The sum of all values.
    public var sum: Int64 { Int64(clamping: self.sumOfValues) }

    /// The smallest value, or `nil` when nothing was recorded.
    public var min: Int64? { self.cells.isEmpty ? nil : self.smallest }

    /// The largest value, or `nil` when nothing was recorded.
    public var max: Int64? { self.cells.isEmpty ? nil : self.largest }

    /// The value that `q` of all values do not exceed, within 1/64 of the exact one; `nil` when nothing was recorded.
    ///
    /// - Parameter q: 0.5 for the median, 0.99 for the 99th percentile; outside 0...1 it counts as the nearer end.
    public func quantile(_ q: Double) -> Int64? {
        let count = self.count
        guard count > 0 else { return nil }
        if !(q > 0) { return self.min }
        if q >= 1 { return self.max }
        let rank = Swift.max(1, UInt64((q * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for cell in self.cells {
            seen &+= cell.count
            guard seen >= rank else { continue }
            return Swift.min(Swift.max(HistogramLayout.middle(Int(cell.index)), self.smallest), self.largest)
        }
        return self.max
    }

    /// How many values are at most `bound`, decided by each cell's middle: right to within 1.6 % of `bound`.
    public func count(upTo bound: Int64) -> Int {
        var seen: UInt64 = 0
        for cell in self.cells {
            guard HistogramLayout.middle(Int(cell.index)) <= bound else { break }
            seen &+= cell.count
        }
        return Int(clamping: seen)
    }

    /// Adds what `other` has counted.
    public mutating func merge(_ other: HistogramSnapshot) {
        guard !other.cells.isEmpty else { return }
        self.cells = Self.combined(self.cells, other.cells) { $0 &+ $1 }
        self.sumOfValues &+= other.sumOfValues
        self.smallest = Swift.min(self.smallest, other.smallest)
        self.largest = Swift.max(self.largest, other.largest)
    }

    /// What was recorded between `earlier`, a snapshot of the same histogram, and this one.
    ///
    /// The smallest and largest value in between are known only as well as the cells are wide.
    public func subtracting(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        var result = HistogramSnapshot()
        result.cells = Self.combined(self.cells, earlier.cells) { $0 > $1 ? $0 - $1 : 0 }
        guard let first = result.cells.first, let last = result.cells.last else { return result }
        result.sumOfValues = self.sumOfValues > earlier.sumOfValues ? self.sumOfValues - earlier.sumOfValues : 0
        let end = HistogramLayout.lowerBound(Int(last.index)) + HistogramLayout.width(Int(last.index)) - 1
        result.smallest = Swift.max(HistogramLayout.lowerBound(Int(first.index)), self.smallest)
        result.largest = Swift.min(end, self.largest)
        return result
    }

    private static func combined(
        _ left: [Cell], _ right: [Cell], _ operation: (UInt64, UInt64) -> UInt64
    ) -> [Cell] {
        var result: [Cell] = []
        result.reserveCapacity(Swift.max(left.count, right.count))
        var (l, r) = (0, 0)
        while l < left.count || r < right.count {
            let index: UInt16
            if l == left.count {
                index = right[r].index
            } else if r == right.count {
                index = left[l].index
            } else {
                index = Swift.min(left[l].index, right[r].index)
            }
            var counts: (UInt64, UInt64) = (0, 0)
            if l < left.count, left[l].index == index { (counts.0, l) = (left[l].count, l + 1) }
            if r < right.count, right[r].index == index { (counts.1, r) = (right[r].count, r + 1) }
            let count = operation(counts.0, counts.1)
            if count > 0 { result.append(Cell(index: index, count: count)) }
        }
        return result
    }
}
