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
    /// What outlives this version: the queue, and what is in flight.
    let application: ApplicationState
    var timeouts: NanosecondTimeouts {
        self.route.hasUsualTimeouts ? .defaults : NanosecondTimeouts(self.route.timeouts)
    }
    /// What requests meet before an instance; nil for nothing.
    let policy: PreparedPolicy?
    /// The instances of the route, in its order; some of them may be unhealthy.
    let members: [Member]
    /// How the places of those that requests may go to are divided among clients.
    let places: PlaceRule
    private let clientSharePercent: Int
    /// Those that requests may go to.
    private let all: InstanceGroup
    /// What few routes have.
    private let affinity: PoolAffinity?
    private let key: SecretKey

    /// - Parameters:
    ///   - members: the instances of the route's backends, in their order.
    ///   - key: the router's secret. Without one, clients could compute what is derived from it.
    ///   - loops: how many event loops share the application's requests.
    ///   - clientSharePercent: see ``Router/Configuration/clientSharePercent``.
    init(
        route: ApplicationRoute, members: [Member], application: ApplicationState, key: SecretKey = SecretKey(0, 0),
        loops: Int = 1, clientSharePercent: Int = 100
    ) {
        self.route = route
        self.application = application
        self.policy = route.policy.map {
            PreparedPolicy($0, application: route.application, key: key, loops: loops)
        }
        self.key = key
        self.members = members
        self.clientSharePercent = clientSharePercent
        let healthy = Self.healthy(members, route)
        self.places = PlaceRule(limits: healthy.map(\.limit), percent: clientSharePercent)
        self.all = InstanceGroup(healthy, route)
        self.affinity = PoolAffinity(route, members, healthy: healthy, key: key)
    }

    private init(_ pool: ApplicationPool) {
        self.route = pool.route
        self.application = pool.application
        self.policy = pool.policy
        self.key = pool.key
        self.members = pool.members
        self.clientSharePercent = pool.clientSharePercent
        let healthy = Self.healthy(pool.members, pool.route)
        self.places = PlaceRule(limits: healthy.map(\.limit), percent: pool.clientSharePercent)
        self.all = InstanceGroup(healthy, pool.route)
        self.affinity = PoolAffinity(pool.route, pool.members, healthy: healthy, key: pool.key)
    }

    /// The same route, with its instances as healthy as they are now.
    func withCurrentHealth() -> ApplicationPool { ApplicationPool(self) }

    /// Whom requests may go to. When nearly all fail, it is perhaps the probe that is wrong.
    private static func healthy(_ members: [Member], _ route: ApplicationRoute) -> [Member] {
        if members.allSatisfy(\.instance.isHealthy) { return members }
        let healthy = members.filter(\.instance.isHealthy)
        return healthy.count * 100 < members.count * (route.probe?.panicPercent ?? 0) ? members : healthy
    }

    /// How many places are free with the instances among which ``select(tried:now:random:preference:)`` chooses: those that
    /// were set aside count only when all were.
    func freePlaces(now: UInt64) -> Int {
        var (free, freeAside, isAnyGood) = (0, 0, false)
        for member in self.all.members {
            let count = max(0, min(member.limit, 1 << 32) - member.instance.loadForWaiting)
            if member.instance.isEjected(now: now) {
                freeAside += count
            } else {
                free += count
                isAnyGood = true
            }
        }
        return isAnyGood ? free : freeAside
    }

    /// Calls up the waiting request whose turn it is, and who may have a place.
    func wakeNext() {
        guard self.application.hasWaiting else { return }
        let hasOpen =
            self.places.open == .max || self.all.members.contains { !$0.instance.hasTaken(open: self.places.open) }
        self.application.wakeNext(share: hasOpen ? .max : self.places.perClient)
    }

    /// Whether a client may have a place that it has been given: one that is open to everybody, or a scarce one of its
    /// share, which is then counted.
    ///
    /// - Returns: nil when it has its share already.
    func admit(_ client: ClientAddress, to instance: Instance) -> Admission? {
        // Its own place is among those that are taken.
        guard self.places.open < .max, instance.hasTaken(open: self.places.open + 1) else { return .open }
        guard self.application.takeShare(client, limit: self.places.perClient) else { return nil }
        instance.beginScarce()
        return .scarce
    }

    enum Admission { case open, scarce }

    /// For a client that has its share of the scarce places: the least busy instance that has open ones, with one taken;
    /// one that was set aside only when there is no other.
    ///
    /// There is one whenever ``wakeNext()`` calls somebody up because of open places, unless others are quicker.
    func selectOpen(tried: [ObjectIdentifier], now: UInt64) -> Instance? {
        for includesEjected in [false, true] {
            var best: Member?
            for member in self.all.members where !tried.contains(ObjectIdentifier(member.instance)) {
                if member.instance.hasTaken(open: self.places.open) { continue }
                if !includesEjected, member.instance.isEjected(now: now) { continue }
                if member.instance.load < best?.instance.load ?? .max { best = member }
            }
            guard let best, best.instance.tryBegin(limit: best.limit) else { continue }
            if !best.instance.hasTaken(open: self.places.open + 1) { return best.instance }
            best.instance.end(isStream: false)
        }
        return nil
    }

    // MARK: Choosing

    /// Whether clients are told apart, so that ``cookieLine(for:preference:isSecure:)`` may have something to say.
    var isAffine: Bool { self.affinity != nil }

    /// Which instances are preferred for a request.
    func preference(for request: some RequestView) -> InstancePreference {
        self.affinity?.preference(for: request) ?? InstancePreference()
    }

    /// Chooses an instance that was not `tried` yet and takes a place with it.
    ///
    /// At first by the route's ``ApplicationRoute/selection``, from the preferred release if there is one. When what
    /// that chose cannot take it: the least busy of the release, then of all. Instances that were set aside are
    /// chosen only when there is no other.
    func select(
        tried: [ObjectIdentifier], now: UInt64, random: inout LoopRandom,
        preference: InstancePreference = InstancePreference()
    ) -> Selection {
        if let affinity = self.affinity,
            let instance = affinity.select(preference, tried: tried, now: now, random: &random)
        {
            return .instance(instance)
        }
        if tried.isEmpty, let instance = self.all.sample(now: now, random: &random) { return .instance(instance) }
        return self.all.leastBusy(tried: tried, now: now)
    }

    /// The line, with its end, that gives the client the cookie of the instance that its request went to; nil when it
    /// has the right one, or one whose instance may come back to it.
    func cookieLine(for instance: Instance, preference: InstancePreference, isSecure: Bool) -> [UInt8]? {
        self.affinity?.cookieLine(for: instance, preference: preference, isSecure: isSecure)
    }

    // MARK: Ejection

    /// Counts a failure of an instance. Returns for how long it is set aside, when it is.
    ///
    /// Loops that decide this at the same moment may set aside one more than the policy says; choosing then falls back
    /// on what is set aside, so that nothing is refused because of it.
    func failed(_ instance: Instance, now: UInt64, policy: EjectionPolicy) -> Duration? {
        instance.failed(now: now, policy: policy) {
            let ejected = self.all.members.count { $0.instance.isEjected(now: now) }
            return ejected < policy.limit(of: self.all.members.count)
        }
    }
}
