import Synchronization

/// Instances among which one is chosen: those of an application, or of one of its releases.
final class InstanceGroup: Sendable {
    let members: [ApplicationPool.Member]
    private let totalWeight: Int
    private let isWeighted: Bool
    /// Whose turn it is, again and again; empty unless they take turns.
    private let sequence: [UInt16]
    private let turn = Atomic<Int>(0)
    private let slowStart: UInt64
    /// Until when some are new while others are not.
    private let rampEnd: UInt64

    init(_ members: [ApplicationPool.Member], _ route: ApplicationRoute) {
        self.members = members
        self.totalWeight = members.reduce(0) { $0 + $1.weight }
        self.isWeighted = members.dropFirst().contains { $0.weight != members[0].weight }
        self.sequence = route.selection == .roundRobin ? Self.sequence(members.map(\.weight)) : []
        self.slowStart = members.count > 1 ? route.slowStart?.nanosecondsClamped ?? 0 : 0
        let newest = members.map(\.instance.since).max() ?? 0
        self.rampEnd = self.slowStart > 0 ? newest &+ self.slowStart : 0
    }

    // MARK: The usual choice

    /// Chooses one and takes a place with it; nil when the one chosen cannot take it.
    func sample(now: UInt64, random: inout LoopRandom) -> Instance? {
        let count = self.members.count
        guard count > 0 else { return nil }
        let choice: Int
        if count == 1 {
            choice = 0
        } else if now < self.rampEnd {
            choice = self.lotWhileRamping(now: now, random: &random)
        } else if !self.sequence.isEmpty {
            let turn = self.turn.add(1, ordering: .relaxed).oldValue
            choice = Int(self.sequence[Int(UInt(bitPattern: turn) % UInt(self.sequence.count))])
        } else if self.isWeighted {
            choice = self.lot(random: &random)
        } else {
            choice = self.lessBusyOfTwo(random: &random)
        }
        let member = self.members[choice]
        guard !member.instance.isEjected(now: now), member.instance.tryBegin(limit: member.limit) else { return nil }
        return member.instance
    }

    /// Nearly as good as the least busy of all, and does not send every event loop to the same one; exact for two.
    private func lessBusyOfTwo(random: inout LoopRandom) -> Int {
        let count = self.members.count
        let lots = random.next()
        let choice = Int((lots >> 32) % UInt64(count))
        var other = Int((lots & 0xFFFF_FFFF) % UInt64(count - 1))
        if other >= choice { other += 1 }
        return self.members[other].instance.load < self.members[choice].instance.load ? other : choice
    }

    private func lot(random: inout LoopRandom) -> Int {
        var lot = Int(random.next() % UInt64(self.totalWeight))
        var choice = 0
        while lot >= self.members[choice].weight {
            lot -= self.members[choice].weight
            choice += 1
        }
        return choice
    }

    /// By lot in the proportions of what the weights have grown to so far. It looks at every instance, which only new
    /// ones cause, for a while.
    private func lotWhileRamping(now: UInt64, random: inout LoopRandom) -> Int {
        func share(_ member: ApplicationPool.Member) -> Int {
            member.weight * member.instance.readiness(now: now, duration: self.slowStart)
        }
        var lot = Int(random.next() % UInt64(self.members.reduce(0) { $0 + share($1) }))
        for index in self.members.indices {
            let share = share(self.members[index])
            if lot < share { return index }
            lot -= share
        }
        return 0
    }

    // MARK: The careful choice

    /// The least busy one that was not `tried`, with a place taken; one that was set aside only when there is no other.
    func leastBusy(tried: [ObjectIdentifier], now: UInt64) -> ApplicationPool.Selection {
        for includesEjected in [false, true] {
            let selection = self.leastBusy(tried: tried, includesEjected: includesEjected, now: now)
            if case .none = selection { continue }
            return selection
        }
        return .none
    }

    func leastBusy(tried: [ObjectIdentifier], includesEjected: Bool, now: UInt64) -> ApplicationPool.Selection {
        var sawCandidate = false
        // Another loop may take the last place between the look and the grasp; then look again.
        for _ in 0..<3 {
            var best: ApplicationPool.Member?
            var bestLoad = Int.max
            for member in self.members where !tried.contains(ObjectIdentifier(member.instance)) {
                if !includesEjected, member.instance.isEjected(now: now) { continue }
                sawCandidate = true
                let load = member.instance.load
                if load < member.limit, load < bestLoad {
                    best = member
                    bestLoad = load
                }
            }
            guard let best else { break }
            if best.instance.tryBegin(limit: best.limit) { return .instance(best.instance) }
        }
        return sawCandidate ? .busy : .none
    }

    // MARK: Turns

    /// Turns in the proportions of the weights, each instance's spread out as evenly as can be: at every step each
    /// gains its weight, and the one with the most pays the sum of all.
    static func sequence(_ weights: [Int]) -> [UInt16] {
        guard weights.count > 1, weights.count <= 1024 else { return [] }
        let divisor = weights.reduce(0, Self.commonDivisor)
        var reduced = weights.map { $0 / divisor }
        let sum = reduced.reduce(0, +)
        if sum > 1024 { reduced = reduced.map { max(1, ($0 * 1024 + sum / 2) / sum) } }
        let total = reduced.reduce(0, +)
        var gains = [Int](repeating: 0, count: weights.count)
        return (0..<total).map { _ in
            var best = 0
            for index in gains.indices {
                gains[index] += reduced[index]
                if gains[index] > gains[best] { best = index }
            }
            gains[best] -= total
            return UInt16(best)
        }
    }

    private static func commonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : self.commonDivisor(b, a % b) }
}
