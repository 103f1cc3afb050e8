import Testing

@testable import RouterCore

@Suite struct `A latency histogram` {
    @Test(arguments: 0..<20) func `knows quantiles to within a fifth, and adds up`(seed: UInt64) {
        var random = LoopRandom(seed: seed)
        var whole = LatencyHistogram()
        var parts = [LatencyHistogram(), LatencyHistogram(), LatencyHistogram()]
        var values: [UInt64] = []
        for _ in 0..<500 {
            let value = random.next() >> (20 + random.next() % 40)
            values.append(value)
            whole.record(value)
            parts[Int(random.next() % 3)].record(value)
        }
        values.sort()
        var sum = LatencyHistogram()
        for part in parts { sum.add(part) }
        #expect(sum == whole)
        #expect(whole.count == 500)
        #expect(whole.sum == .nanoseconds(Int64(clamping: values.reduce(0, +))))
        for share in [0.01, 0.5, 0.9, 0.99, 1] {
            let exact = values[max(0, Int((500 * share).rounded(.up)) - 1)]
            let estimate = whole.quantile(share).nanosecondsClamped
            #expect(estimate >= exact)
            #expect(Double(estimate) <= Double(exact) * 1.25 + 1000)
        }
        let buckets = whole.buckets
        #expect(buckets.map(\.count).reduce(0, +) == 500)
        #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.upperBound < $1.upperBound })
    }

    @Test func `is empty at first`() {
        let histogram = LatencyHistogram()
        #expect(histogram.quantile(0.5) == .zero)
        #expect(histogram.buckets.isEmpty)
    }
}
