import Testing

@testable import GitReceiver

/// What is decided about a new pack, for every shape that a few objects can have.
@Suite(.timeLimit(.minutes(1)))
struct `A plan of a pack` {
    private static func bases(_ count: Int) -> [PackPlan.Base] {
        [.none, .held, .absent, .loose] + (0..<Int32(count)).map { .sent($0) }
    }

    /// All ways in which `count` objects can build on each other, circles among them.
    private static func shapes(_ count: Int) -> [[PackPlan.Base]] {
        (0..<count).reduce([[]]) { shapes, _ in shapes.flatMap { shape in Self.bases(count).map { shape + [$0] } } }
    }

    @Test(arguments: 1...4, [0, 1, 2, 50])
    func `puts each object after its base, once, and no chain is too deep`(count: Int, limit: Int) {
        let numbers = Array(0..<Int32(count))
        for shape in Self.shapes(count) {
            for preferred in [numbers, numbers.reversed()] {
                let plan = PackPlan(bases: shape, preferred: preferred, depthLimit: limit)
                var depths: [Int32: Int] = [:]
                var isSound = plan.order.sorted() == numbers
                for number in plan.order {
                    switch (plan.methods[Int(number)], shape[Int(number)]) {
                    case (.copy, .none), (.whole, .loose), (.whole, .absent): depths[number] = 0
                    case (.thin, .held): depths[number] = 1
                    case (.delta, .sent(let base)): depths[number] = depths[base].map { $0 + 1 } ?? 1000
                    // Only what would be too deep, or would lead back to itself.
                    case (.whole, .held): isSound = isSound && limit == 0
                    case (.whole, .sent(let base)):
                        isSound = isSound && (depths[base] == nil || depths[base] == limit)
                        depths[number] = 0
                    default: isSound = false
                    }
                }
                isSound = isSound && depths.values.allSatisfy { $0 <= limit }
                if !isSound { Issue.record("\(shape) \(preferred) \(limit): \(plan.order) \(plan.methods)") }
            }
        }
    }

    @Test func `makes one object of a circle whole`() {
        let plan = PackPlan(bases: [.sent(1), .sent(2), .sent(0)], preferred: [0, 1, 2], depthLimit: 50)
        #expect(plan.methods.count { $0 == .whole } == 1 && plan.deltas == 2 && plan.copied == 2)
    }

    @Test func `keeps the order on the disk where it can, and cuts long chains in pieces`() {
        let bases: [PackPlan.Base] = [.none] + (0..<200).map { .sent($0) }
        let plan = PackPlan(bases: bases, preferred: (0...200).map { $0 }, depthLimit: 50)
        #expect(plan.order == (0...200).map { $0 })
        #expect(plan.methods.count { $0 == .whole } == 3)
        #expect(plan.depths.max() == 50)
    }

    @Test(arguments: [1, 127, 128, 129, 16_511, 16_512, 2_113_663, 2_113_664, 1 << 31, 1 << 40])
    func `has headers that are read as they were written`(number: Int) throws {
        let name = try #require(ObjectID(String(repeating: "a1", count: 20)))
        for content: PackEntryHeader.Content in [.whole(.tree), .place(number), .name(name)] {
            let bytes = PackEntryHeader.encode(content, size: number)
            for end in 0..<bytes.count {
                let part = try bytes[..<end].withUnsafeBytes { try PackEntryHeader($0) }
                #expect(part == nil)
            }
            let read = try (bytes + [9, 9]).withUnsafeBytes { try PackEntryHeader($0) }
            let header = try #require(read)
            #expect(header.size == number && header.count == bytes.count)
            #expect("\(header.content)" == "\(content)")
        }
    }
}

/// How slow a client may be.
struct `A pace of fetches` {
    @Test func `lets a slow client go on as long as it takes what it has to`() throws {
        var pace = ClientPace(.takes, rate: 100, grace: .seconds(10))
        try pace.moved(1, in: .seconds(10))
        try pace.moved(99, in: .seconds(1))
        for _ in 0..<1000 { try pace.moved(100, in: .seconds(1)) }
        #expect(throws: GitReceiverError.self) { try pace.moved(99, in: .seconds(1.1)) }
    }

    @Test func `ends after a time that depends on the bytes alone`() {
        var pace = ClientPace(.takes, rate: 100, grace: .seconds(10))
        var seconds = 0
        while (try? pace.moved(1, in: .seconds(1))) != nil { seconds += 1 }
        #expect(seconds == 10)
    }
}
