import Testing

@testable import MetricsCore

@Suite struct HistogramTests {
    @Test func `every value has a cell that contains it, in order`() {
        var random = SplitMix(state: 1)
        var values = (0..<300).map(Int64.init) + [HistogramLayout.largestValue, HistogramLayout.largestValue - 1]
        for exponent in 0..<53 {
            let base = Int64(1) << Int64(exponent)
            values += [base - 1, base, base + 1, Int64.random(in: base..<base * 2, using: &random)]
        }
        var previous = -1
        for value in values.map(HistogramLayout.clamped).sorted() {
            let index = HistogramLayout.index(of: value)
            let lower = HistogramLayout.lowerBound(index)
            #expect(lower <= value && value < lower + HistogramLayout.width(index))
            #expect(index >= previous && index < HistogramLayout.cellCount)
            #expect(abs(HistogramLayout.middle(index) - value) * 64 <= max(value, 64))
            previous = index
        }
    }

    @Test(arguments: [UInt64](1...20))
    func `a quantile is within one sixty-fourth of the exact one`(seed: UInt64) {
        var random = SplitMix(state: seed)
        let histogram = Histogram(stripes: 4)
        let spread = Double.random(in: 1...40, using: &random)
        var exact: [Int64] = []
        for _ in 0..<Int.random(in: 1...3_000, using: &random) {
            let value = Int64(exp2Approximation(Double.random(in: 0...spread, using: &random)))
            exact.append(value)
            histogram.record(nanoseconds: value)
        }
        exact.sort()
        let snapshot = histogram.snapshot()
        #expect(snapshot.count == exact.count)
        #expect(snapshot.sum == exact.reduce(0, +))
        #expect(snapshot.min == exact.first && snapshot.max == exact.last)
        for q in [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1] {
            let rank = max(1, Int((q * Double(exact.count)).rounded(.up)))
            let expected = exact[rank - 1]
            let actual = snapshot.quantile(q) ?? -1
            #expect(abs(actual - expected) * 64 <= max(expected, 64), "q \(q): \(actual) for \(expected)")
        }
    }

    @Test func `merging equals recording into one, and subtracting undoes it`() {
        var random = SplitMix(state: 7)
        let (left, right, both) = (Histogram(), Histogram(), Histogram())
        for index in 0..<2_000 {
            let value = Int64.random(in: 0...5_000_000_000, using: &random) >> Int64(index % 20)
            (index % 3 == 0 ? left : right).record(nanoseconds: value)
            both.record(nanoseconds: value)
        }
        var merged = left.snapshot()
        merged.merge(right.snapshot())
        #expect(merged == both.snapshot())
        merged.merge(HistogramSnapshot())
        #expect(merged == both.snapshot())

        let rest = merged.subtracting(left.snapshot())
        #expect(rest.count == right.snapshot().count && rest.sum == right.snapshot().sum)
        #expect(rest.quantile(0.5) == right.snapshot().quantile(0.5))
        #expect(merged.subtracting(merged) == HistogramSnapshot())
    }

    @Test func `nothing recorded has no quantile`() {
        let snapshot = Histogram().snapshot()
        #expect(snapshot.count == 0 && snapshot.sum == 0)
        #expect(snapshot.quantile(0.5) == nil && snapshot.min == nil && snapshot.max == nil)
        #expect(snapshot == HistogramSnapshot())
    }

    @Test(arguments: [
        (Int64.min, Int64(0)), (-1, 0), (0, 0), (63, 63), (Int64.max, HistogramLayout.largestValue),
    ])
    func `values outside the range count as its ends`(value: Int64, expected: Int64) {
        let histogram = Histogram()
        histogram.record(nanoseconds: value)
        #expect(histogram.snapshot().quantile(0.5) == expected)
        #expect(histogram.snapshot().max == expected)
    }

    @Test(arguments: [
        (Duration.milliseconds(1), Int64(1_000_000)), (.nanoseconds(-5), 0),
        (.seconds(Int64.max), HistogramLayout.largestValue), (.seconds(Int64.min), 0),
    ])
    func `durations are recorded as nanoseconds`(duration: Duration, expected: Int64) {
        let histogram = Histogram()
        histogram.record(duration)
        #expect(histogram.snapshot().max == expected)
    }

    @Test func `a quantile outside zero and one is the nearer end`() {
        let histogram = Histogram()
        for value in [10, 20, 30] as [Int64] { histogram.record(nanoseconds: value) }
        let snapshot = histogram.snapshot()
        #expect(snapshot.quantile(-1) == 10 && snapshot.quantile(.nan) == 10 && snapshot.quantile(7) == 30)
    }

    @Test func `no value is lost when many tasks record`() async {
        let histogram = Histogram(stripes: 2)
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for value in 0..<5_000 { histogram.record(nanoseconds: Int64(value << ((task % 4) * 4))) }
                }
            }
        }
        let snapshot = histogram.snapshot()
        #expect(snapshot.count == 40_000)
        #expect(snapshot.sum == (0..<4).reduce(0) { $0 + (4_999 * 5_000) << ($1 * 4) })
    }

    @Test func `cells for one owner count as the shared ones do`() {
        var random = SplitMix(state: 3)
        let histogram = Histogram()
        var cells = HistogramCells()
        for _ in 0..<3 {
            var merged = HistogramSnapshot()
            for _ in 0..<500 {
                let value = Int64.random(in: -5...9_000_000_000, using: &random)
                histogram.record(nanoseconds: value)
                cells.record(value)
            }
            merged.merge(cells.drain())
            #expect(merged.count == 500)
        }
        #expect(cells.drain() == HistogramSnapshot())
    }

    private func exp2Approximation(_ x: Double) -> Double {
        let whole = x.rounded(.down)
        return Double(sign: .plus, exponent: Int(whole), significand: 1 + (x - whole))
    }
}
