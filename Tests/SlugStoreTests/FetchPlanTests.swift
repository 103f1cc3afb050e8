import Testing

@testable import SlugStore

@Suite struct FetchPlanTests {
    /// Ten frames of 100 bytes, with 16 bytes before them.
    static let frames = (0..<10).map {
        PackFormat.Frame(offset: UInt64(16 + 100 * $0), storedBytes: 100, bytes: 200, checksum: 0, chunks: [])
    }

    @Test(
        arguments: [
            ([], 50, 10_000, []),
            ([3], 50, 10_000, [316..<416]),
            ([2, 3, 4], 50, 10_000, [216..<516]),
            ([4, 2, 3], 50, 10_000, [216..<516]),
            ([0, 2], 50, 10_000, [16..<116, 216..<316]),
            ([0, 2], 100, 10_000, [16..<316]),
            // Most of the pack: gaps do not matter, the limit does.
            ([0, 1, 2, 3, 4, 5, 6, 9], 50, 10_000, [16..<1016]),
            ([0, 1, 2, 3, 4, 5, 6, 9], 50, 400, [16..<416, 416..<716, 916..<1016]),
        ] as [([Int], Int64, Int64, [Range<Int64>])])
    func `neighbours are asked for together`(wanted: [Int], gap: Int64, limit: Int64, expected: [Range<Int64>]) {
        let plan = FetchPlan(Self.frames, wanted: wanted, gap: gap, limit: limit)
        #expect(plan.requests.map(\.range) == expected)
        #expect(plan.requests.flatMap(\.frames).sorted() == wanted.sorted())
    }

    @Test func `frames that overlap are asked for one by one`() {
        let frames = [0, 50, 20].map {
            PackFormat.Frame(offset: UInt64($0), storedBytes: 100, bytes: 1, checksum: 0, chunks: [])
        }
        let plan = FetchPlan(frames, wanted: [0, 1, 2], gap: 10, limit: 1000)
        #expect(plan.requests.map(\.range) == [0..<100, 20..<120, 50..<150])
    }
}
