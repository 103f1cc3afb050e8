/// What a request's route was found to be.
enum RouteFinding<Value> {
    /// - stripped: how many bytes of the path the instance is not to see. When what is left is empty or starts with a
    ///   `?`, it is preceded by a `/`.
    case found(Value, stripped: Int)
    /// No application has the host, or none of it this path.
    case none
    /// The path must be refused: see ``PathReading``.
    case ambiguous
}

/// Requests and applications to what stands behind them: the part that ``RouteTable`` and a running router share.
struct RouteIndex<Value: Sendable>: Sendable {
    /// A claim as it was made, so that it can be taken back.
    private struct Claim: Hashable, Sendable {
        var pattern: HostPattern
        var condition: RouteCondition
    }

    private struct Registration: Sendable {
        var value: Value
        var claims: [Claim]
    }

    private var exact: KeyIndex<HostClaims<Value>>
    private var below: KeyIndex<HostClaims<Value>>
    private var applications: KeyIndex<Registration>

    /// - Parameter seed: a secret where strangers choose hosts, so that they cannot choose ones that collide.
    init(seed: UInt64 = 0) {
        self.exact = KeyIndex(.ignoringCase, seed: seed)
        self.below = KeyIndex(.ignoringCase, seed: seed)
        self.applications = KeyIndex(.exact, seed: seed)
    }

    /// The number of applications.
    var count: Int { self.applications.count }

    /// What stands behind each application, in no order.
    var values: [Value] { self.applications.values.map(\.value) }

    // MARK: Finding

    /// The value for a host alone, as if the request fulfilled no condition: the exact name, else the longest wildcard
    /// above it.
    @inline(__always)
    func find(host: UnsafeRawBufferPointer) -> Value? {
        if let value = self.exact.find(host, { $0.value }) { return value }
        if self.below.count == 0 { return nil }
        return self.findBelow(host)
    }

    private func findBelow(_ host: UnsafeRawBufferPointer) -> Value? {
        var parent = Self.parent(of: host)
        while let name = parent {
            if let value = self.below.find(name, { $0.value }) { return value }
            parent = name.isEmpty ? nil : Self.parent(of: name)
        }
        return nil
    }

    /// The name above a host, at last the empty one, which is also above a request without a host.
    private static func parent(of host: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let dot = host.firstIndex(of: 0x2E) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: host[(dot + 1)...])
    }

    /// The value for a request. Costs what ``find(host:)`` does when its host has a single match without conditions.
    @inline(__always)
    func find(_ request: some RequestView) -> RouteFinding<Value> {
        let host = request.host
        if let value = self.exact.find(host, { $0.rules.isEmpty ? $0.value : nil }) {
            return .found(value, stripped: 0)
        }
        return self.findByRules(request, host)
    }

    private func findByRules(
        _ request: some RequestView, _ host: UnsafeRawBufferPointer
    ) -> RouteFinding<Value> {
        if let claims = self.exact.find(host, { Optional($0) }), let finding = Self.decide(claims, request) {
            return finding
        }
        if self.below.count == 0 { return .none }
        var parent = Self.parent(of: host)
        while let name = parent {
            if let claims = self.below.find(name, { Optional($0) }), let finding = Self.decide(claims, request) {
                return finding
            }
            parent = name.isEmpty ? nil : Self.parent(of: name)
        }
        return .none
    }

    private static func decide(
        _ claims: HostClaims<Value>, _ request: some RequestView
    ) -> RouteFinding<Value>? {
        switch claims.find(request) {
        case .ambiguous: return .ambiguous
        case .none: return claims.value.map { .found($0, stripped: 0) }
        case .rule(let rule):
            guard rule.stripsPrefix else { return .found(rule.value, stripped: 0) }
            // A rest that started with two slashes could be read as a host.
            let path = request.path
            var stripped = rule.condition.prefix.count
            while stripped + 1 < path.count, path[stripped + 1] == 0x2F { stripped += 1 }
            return .found(rule.value, stripped: stripped)
        }
    }

    func find(application: String) -> Value? { self.applications.find(application)?.value }

    // MARK: Changing

    /// Sets what stands behind an application and its hosts. Throws, changing nothing, when another application has
    /// one of the hosts.
    mutating func set(application: String, hosts: [String], value: Value) throws(RouterError) {
        try self.set(application: application, matches: [RouteMatch(hosts: hosts)], value: value)
    }

    /// Sets what stands behind an application and its matches. Throws, changing nothing, when a match is malformed or
    /// another application has the same one.
    mutating func set(application: String, matches: [RouteMatch], value: Value) throws(RouterError) {
        var wanted: [Claim: Bool] = [:]
        var claims: [Claim] = []
        var added: [HostPattern: Int] = [:]
        for match in matches {
            let condition = try RouteCondition(match, application: application)
            for host in match.hosts {
                let claim = Claim(pattern: try HostPattern(host), condition: condition)
                if let strips = wanted[claim] {
                    guard strips == match.stripsPrefix else {
                        throw RouterError(
                            .invalidRoute,
                            "Application '\(application)' has a match for '\(host)' twice, with and without stripping "
                                + "the prefix.")
                    }
                    continue
                }
                try self.check(claim, host, application, added: &added[claim.pattern, default: 0])
                wanted[claim] = match.stripsPrefix
                claims.append(claim)
            }
        }
        for claim in self.applications.find(application)?.claims ?? [] where wanted[claim] == nil {
            self.update(claim.pattern) { $0.remove(claim.condition) }
        }
        for claim in claims {
            let rule = HostClaims<Value>.Rule(
                condition: claim.condition, stripsPrefix: wanted[claim] ?? false, application: application,
                value: value)
            self.update(claim.pattern) { $0.set(rule) }
        }
        self.applications.set(application, Registration(value: value, claims: claims))
    }

    mutating func remove(application: String) {
        for claim in self.applications.find(application)?.claims ?? [] {
            self.update(claim.pattern) { $0.remove(claim.condition) }
        }
        self.applications.set(application, nil)
    }

    /// - Parameter added: the claims with conditions that are new for this host.
    private func check(
        _ claim: Claim, _ host: String, _ application: String, added: inout Int
    ) throws(RouterError) {
        let claims = self.claims(claim.pattern) ?? HostClaims()
        if let holder = claims.holder(of: claim.condition), holder != application {
            let path = claim.condition.prefix.isEmpty ? "" : String(decoding: claim.condition.prefix, as: UTF8.self)
            throw RouterError(
                .hostTaken,
                "The host '\(host)\(path)' of application '\(application)' already belongs to application "
                    + "'\(holder)'\(claim.condition.headers.isEmpty ? "" : " under the same header conditions"). "
                    + "Remove it there first.")
        }
        if claim.condition.isNone || claims.holder(of: claim.condition) != nil { return }
        added += 1
        guard claims.rules.count + added <= HostClaims<Value>.ruleLimit else {
            throw RouterError(
                .invalidRoute,
                "The host '\(host)' may have \(HostClaims<Value>.ruleLimit) matches with conditions; those of application "
                    + "'\(application)' would be more.")
        }
    }

    private func claims(_ pattern: HostPattern) -> HostClaims<Value>? {
        switch pattern {
        case .exact(let name): self.exact.find(name)
        case .below(let name): self.below.find(name)
        }
    }

    private mutating func update(_ pattern: HostPattern, _ change: (inout HostClaims<Value>) -> Void) {
        func apply(_ claims: inout HostClaims<Value>?) {
            var changed = claims ?? HostClaims()
            change(&changed)
            claims = changed.isEmpty ? nil : changed
        }
        switch pattern {
        case .exact(let name): self.exact.update(name, apply)
        case .below(let name): self.below.update(name, apply)
        }
    }
}
