/// Hosts and applications to what stands behind them: the part that ``RouteTable`` and a running router share.
struct RouteIndex<Value: Sendable>: Sendable {
    private struct Claim: Sendable {
        var application: String
        var value: Value
    }

    private var exact = HostIndex<Claim>()
    private var below = HostIndex<Claim>()
    private var patterns = HostIndex<Set<HostPattern>>()
    private var applications = HostIndex<Value>()

    /// The number of applications.
    var count: Int { self.applications.count }

    /// What stands behind each application, in no order.
    var values: [Value] { self.applications.values }

    /// The value for a request's host: the exact name, else the longest wildcard above it.
    @inline(__always)
    func find(host: UnsafeRawBufferPointer) -> Value? {
        if let claim = self.exact.find(host) { return claim.value }
        if self.below.count == 0 { return nil }
        return self.findBelow(host)
    }

    private func findBelow(_ host: UnsafeRawBufferPointer) -> Value? {
        var start = 0
        while start < host.count {
            if host[start] == 0x2E {
                let parent = UnsafeRawBufferPointer(rebasing: host[(start + 1)...])
                if let claim = self.below.find(parent) { return claim.value }
            }
            start += 1
        }
        return self.below.find("")?.value
    }

    func find(application: String) -> Value? { self.applications.find(Self.key(application)) }

    /// Sets what stands behind an application and its hosts. Throws, changing nothing, when another application has
    /// one of the hosts.
    mutating func set(application: String, hosts: [String], value: Value) throws(RouterError) {
        var wanted = Set<HostPattern>()
        for host in hosts {
            let pattern = try HostPattern(host)
            if let claim = self.claim(pattern), claim.application != application {
                throw RouterError(
                    .hostTaken,
                    "The host '\(host)' of application '\(application)' already belongs to application "
                        + "'\(claim.application)'. Remove it there first.")
            }
            wanted.insert(pattern)
        }
        let key = Self.key(application)
        for pattern in (self.patterns.find(key) ?? []).subtracting(wanted) { self.setClaim(pattern, nil) }
        for pattern in wanted { self.setClaim(pattern, Claim(application: application, value: value)) }
        self.patterns.set(key, wanted)
        self.applications.set(key, value)
    }

    mutating func remove(application: String) {
        let key = Self.key(application)
        for pattern in self.patterns.find(key) ?? [] { self.setClaim(pattern, nil) }
        self.patterns.set(key, nil)
        self.applications.set(key, nil)
    }

    private func claim(_ pattern: HostPattern) -> Claim? {
        switch pattern {
        case .exact(let name): self.exact.find(name)
        case .below(let name): self.below.find(name)
        }
    }

    private mutating func setClaim(_ pattern: HostPattern, _ claim: Claim?) {
        switch pattern {
        case .exact(let name): self.exact.set(name, claim)
        case .below(let name): self.below.set(name, claim)
        }
    }

    /// Hosts are the same in any case, names of applications are not: the index folds case, so they are spelt out.
    private static func key(_ application: String) -> String {
        guard application.utf8.contains(where: { $0 &- 0x41 < 26 }) else { return "=" + application }
        return application.utf8.map { $0 &- 0x41 < 26 ? "1" : "0" }.joined() + "=" + application
    }
}
