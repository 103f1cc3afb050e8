extension ApplicationRoute {
    /// Refuses what cannot be routed to.
    func check() throws(RouterError) {
        guard !self.application.isEmpty else { throw self.refusal("the application has no name.") }
        try self.checkBackends()
        try self.checkReleases()
        try self.policy?.check(application: self.application)
        if case .sticky(let cookie, let maxAge) = self.selection {
            guard (1...64).contains(cookie.utf8.count), cookie.utf8.allSatisfy(ByteClass.isToken) else {
                throw self.refusal("'\(cookie)' is not the name of a cookie of at most 64 characters.")
            }
            guard maxAge.map({ $0 >= .seconds(1) }) ?? true else {
                throw self.refusal("the cookie '\(cookie)' would be gone at once; use nil for the browser's session.")
            }
        }
        guard self.slowStart.map({ $0 >= .zero && $0 <= .seconds(86_400) }) ?? true else {
            throw self.refusal("its slow start is negative or longer than a day.")
        }
        do {
            try self.probe?.validate()
        } catch {
            throw self.refusal("its probe cannot be made. \(error)")
        }
        if let hold = self.hold {
            guard hold.timeout > .zero, hold.maxRequests > 0, hold.maxBytes >= 0, hold.wakeInterval >= .zero else {
                throw self.refusal("its limits for holding requests do not let a single one wait.")
            }
        }
    }

    private func refusal(_ why: String) -> RouterError {
        RouterError(.invalidRoute, "The route of application '\(self.application)' cannot be used: \(why)")
    }

    private func checkBackends() throws(RouterError) {
        var seen = Set<BackendID>()
        for backend in self.backends {
            guard seen.insert(backend.id).inserted else {
                throw self.refusal("two instances are both named '\(backend.id)'.")
            }
            guard (1...1_000_000).contains(backend.weight) else {
                throw self.refusal("the weight of '\(backend.id)' is not between 1 and 1,000,000.")
            }
            if let limit = backend.maxInFlight, limit < 1 {
                throw self.refusal("'\(backend.id)' may not be given a single request; leave it out instead.")
            }
            switch backend.address {
            case .ip(let host, let port):
                guard !host.isEmpty, (1...65535).contains(port) else {
                    throw self.refusal("'\(backend.address)' is not an address.")
                }
            case .unix(let path):
                guard !path.isEmpty, path.utf8.count < 104 else {
                    throw self.refusal("the socket path of '\(backend.id)' is empty or longer than 103 bytes.")
                }
            }
        }
    }

    private func checkReleases() throws(RouterError) {
        guard self.releases.count <= 16 else { throw self.refusal("it is divided among more than 16 releases.") }
        guard Set(self.releases.map(\.name)).count == self.releases.count else {
            throw self.refusal("a release is named twice.")
        }
        for release in self.releases where !(0...1_000_000).contains(release.weight) {
            throw self.refusal("the weight of release '\(release.name)' is not between 0 and 1,000,000.")
        }
        guard self.releases.isEmpty || self.releases.contains(where: { $0.weight > 0 }) else {
            throw self.refusal("no release has a positive weight.")
        }
        if case .header(let name) = self.releaseKey {
            guard !name.isEmpty, name.utf8.allSatisfy(ByteClass.isToken) else {
                throw self.refusal("'\(name)' is not the name of a header field.")
            }
        }
    }
}
