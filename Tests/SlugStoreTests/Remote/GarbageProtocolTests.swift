import Testing

/// Every order in which hosts may do the steps of `RemoteGarbage`, for few hosts and few packs.
@Suite struct GarbageProtocolTests {
    private typealias World = GarbageProtocol.World

    private static let collection = GarbageProtocol.Host.collection(.init())
    private static func put(_ slug: Int) -> GarbageProtocol.Host { .put(.init(slug: slug)) }

    /// Where hosts begin.
    private static let beginnings = [
        // A slug is put and removed while others collect, or put anew after it was removed.
        World(packs: [0b011], records: 0b1, hosts: [put(0), collection, collection, .removal(.init())]),
        World(packs: [0b011], records: 0, hosts: [put(0), put(0), collection]),
        World(packs: [0b011], records: 0, hosts: [put(0), collection, collection]),
        // What is stored twice is collected by all.
        World(packs: [0b011, 0b001], records: 0b1, hosts: [collection, collection, collection]),
        // A put needs of a pack what nothing else does, while it is condemned, or is already.
        World(packs: [0b111], records: 0b01, hosts: [put(1), collection, collection]),
        World(
            packs: [0b111], markers: 0b1, records: 0b01, hosts: [put(1), collection, collection, .removal(.init())]),
    ]

    private enum Outcome: Equatable {
        case sound(states: Int)
        case damage
    }

    private static func explore(_ rules: GarbageProtocol, from beginning: World) -> Outcome {
        var seen: Set<World> = [beginning]
        var open = [beginning]
        while let world = open.popLast() {
            guard rules.isSound(world) else { return .damage }
            for next in rules.successors(of: world) where seen.insert(next).inserted { open.append(next) }
        }
        return .sound(states: seen.count)
    }

    @Test(arguments: Self.beginnings.indices)
    func `in every order of steps, every slug stays whole`(beginning: Int) {
        let outcome = Self.explore(GarbageProtocol(), from: Self.beginnings[beginning])
        guard case .sound(let states) = outcome else {
            Issue.record("there is an order that loses chunks")
            return
        }
        #expect(states > 1_000)
    }

    @Test(arguments: GarbageProtocol.Breach.allCases)
    func `without any one rule, there is an order that loses chunks`(breach: GarbageProtocol.Breach) {
        let rules = GarbageProtocol(breach: breach)
        let isHarmless = GarbageProtocol.Breach.harmless.contains(breach)
        // The last one has as many states as all others together.
        let beginnings = isHarmless ? Self.beginnings.dropLast() : Self.beginnings[...]
        #expect(beginnings.contains { Self.explore(rules, from: $0) == .damage } != isHarmless)
    }
}
