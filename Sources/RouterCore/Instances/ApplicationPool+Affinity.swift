/// Which instances are preferred for a request, as its cookie and its client say.
struct InstancePreference: Equatable {
    /// What its cookie says, whether or not an instance is meant.
    var token: StickyCookie.Token?
    /// The position of the release that its client belongs to.
    var release: Int?
}

/// What a pool needs to treat clients differently: releases and cookies.
final class PoolAffinity: Sendable {
    private struct Named: Sendable {
        var token: StickyCookie.Token
        var member: ApplicationPool.Member
        var release: Int?
        var isHealthy: Bool
    }

    private let releases: ReleaseChoice?
    /// The instances of each release.
    private let groups: [InstanceGroup]
    private let cookie: StickyCookie?
    /// Ordered by token.
    private let named: [Named]

    /// Nil when all clients are the same.
    ///
    /// - Parameter healthy: those of the members that requests may go to.
    init?(
        _ route: ApplicationRoute, _ members: [ApplicationPool.Member], healthy: [ApplicationPool.Member],
        key: SecretKey
    ) {
        let releases = Dictionary(
            route.backends.map { ($0.id, $0.release) }, uniquingKeysWith: { first, _ in first })
        func release(of member: ApplicationPool.Member) -> Int? {
            guard let name = releases[member.instance.id] ?? nil else { return nil }
            return route.releases.firstIndex { $0.name == name }
        }
        self.releases = route.releases.isEmpty ? nil : ReleaseChoice(route, key: key)
        self.groups = route.releases.indices.map { index in
            InstanceGroup(healthy.filter { release(of: $0) == index }, route)
        }
        if case .sticky(let name, let maxAge) = route.selection {
            self.cookie = StickyCookie(name: name, maxAge: maxAge)
            self.named = members.map { member in
                Named(
                    token: StickyCookie.token(member.instance.id, application: route.application, key: key),
                    member: member, release: release(of: member),
                    isHealthy: healthy.count == members.count || member.instance.isHealthy)
            }.sorted { $0.token < $1.token }
        } else {
            self.cookie = nil
            self.named = []
        }
        if self.releases == nil, self.cookie == nil { return nil }
    }

    func preference(for request: some RequestView) -> InstancePreference {
        InstancePreference(token: self.cookie?.token(in: request), release: self.releases?.release(for: request))
    }

    /// The instance of the cookie, else one of the release; nil when neither can take the request.
    ///
    /// The release comes first: when a client is moved to another one, its cookie does not hold it back.
    func select(
        _ preference: InstancePreference, tried: [ObjectIdentifier], now: UInt64, random: inout LoopRandom
    ) -> Instance? {
        if let named = self.named(preference), named.isHealthy,
            !tried.contains(ObjectIdentifier(named.member.instance)),
            !named.member.instance.isEjected(now: now), named.member.instance.tryBegin(limit: named.member.limit)
        {
            return named.member.instance
        }
        guard let release = preference.release, self.groups.indices.contains(release) else { return nil }
        let group = self.groups[release]
        if tried.isEmpty, let instance = group.sample(now: now, random: &random) { return instance }
        if case .instance(let instance) = group.leastBusy(tried: tried, includesEjected: false, now: now) {
            return instance
        }
        return nil
    }

    func cookieLine(for instance: Instance, preference: InstancePreference, isSecure: Bool) -> [UInt8]? {
        guard let cookie = self.cookie, self.named(preference) == nil,
            let named = self.named.first(where: { $0.member.instance === instance })
        else { return nil }
        return cookie.line(named.token, isSecure: isSecure)
    }

    /// The instance that the cookie names, if the client's release has it.
    private func named(_ preference: InstancePreference) -> Named? {
        guard let token = preference.token else { return nil }
        var low = 0
        var high = self.named.count
        while low < high {
            let middle = (low + high) / 2
            if self.named[middle].token < token { low = middle + 1 } else { high = middle }
        }
        guard low < self.named.count, self.named[low].token == token else { return nil }
        guard preference.release == nil || self.named[low].release == preference.release else { return nil }
        return self.named[low]
    }
}
