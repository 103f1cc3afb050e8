/// One version of an application's route, made ready for choosing: immutable, and shared by all event loops.
final class ApplicationPool: Sendable {
    struct Member: Sendable {
        var instance: Instance
        var weight: Int
        var limit: Int
    }

    enum Selection {
        /// A place with this instance has been taken.
        case instance(Instance)
        /// Every instance that could take it is at its limit.
        case busy
        /// There is no instance (left) to try.
        case none
    }

    let route: ApplicationRoute
    let members: [Member]
    /// What outlives this version: the queue, and what is in flight.
    let application: ApplicationState
    let timeouts: NanosecondTimeouts
    private let totalWeight: Int
    private let isWeighted: Bool

    init(route: ApplicationRoute, members: [Member], application: ApplicationState) {
        self.route = route
        self.members = members
        self.application = application
        self.timeouts = NanosecondTimeouts(route.timeouts)
        self.totalWeight = members.reduce(0) { $0 + $1.weight }
        self.isWeighted = Set(members.map(\.weight)).count > 1
    }

    /// Whether some instance is below its limit.
    var hasRoom: Bool { self.members.contains { $0.instance.load < $0.limit } }

    /// Chooses an instance that was not `tried` yet and takes a place with it.
    ///
    /// Of two instances at random the less busy one, which is nearly as good as the least busy of all and does not
    /// send every event loop to the same one; exact for up to two. Instances that were set aside are chosen only
    /// when there is no other.
    func select(
        tried: [ObjectIdentifier], now: UInt64, random: inout LoopRandom
    ) -> Selection {
        if tried.isEmpty, let instance = self.sample(now: now, random: &random) { return .instance(instance) }
        for includesEjected in [false, true] {
            var sawCandidate = false
            // Another loop may take the last place between the look and the grasp; then look again.
            for _ in 0..<3 {
                guard let best = self.leastBusy(tried, includesEjected, now, sawCandidate: &sawCandidate) else { break }
                if best.instance.tryBegin(limit: best.limit) { return .instance(best.instance) }
            }
            if sawCandidate { return .busy }
        }
        return .none
    }

    private func sample(now: UInt64, random: inout LoopRandom) -> Instance? {
        let count = self.members.count
        guard count > 0 else { return nil }
        var choice: Int
        if count == 1 {
            choice = 0
        } else if self.isWeighted {
            var lot = Int(random.next() % UInt64(self.totalWeight))
            choice = 0
            while lot >= self.members[choice].weight {
                lot -= self.members[choice].weight
                choice += 1
            }
        } else {
            let lots = random.next()
            choice = Int((lots >> 32) % UInt64(count))
            var other = Int((lots & 0xFFFF_FFFF) % UInt64(count - 1))
            if other >= choice { other += 1 }
            if self.members[other].instance.load < self.members[choice].instance.load { choice = other }
        }
        let member = self.members[choice]
        guard !member.instance.isEjected(now: now), member.instance.tryBegin(limit: member.limit) else { return nil }
        return member.instance
    }

    private func leastBusy(
        _ tried: [ObjectIdentifier], _ includesEjected: Bool, _ now: UInt64, sawCandidate: inout Bool
    ) -> Member? {
        var best: Member?
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
        return best
    }
}
