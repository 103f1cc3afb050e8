public import PlatformWire
internal import RouterCore
internal import Synchronization

extension Platform {
    /// How an application is reached over HTTPS.
    public func https(of name: String) async throws(PlatformError) -> HTTPSInfo {
        try await self.httpsInfo(try await self.find(name))
    }

    /// Changes how an application is reached over HTTPS.
    ///
    /// - Throws: `conflict` when the platform does not serve HTTPS, or visitors would be sent to where no certificate is;
    ///   `invalid` for a time that makes no sense.
    public func setHTTPS(
        _ change: HTTPSChange, of name: String, by principal: Principal
    ) async throws(PlatformError) -> HTTPSInfo {
        let application = try await self.find(name)
        try await self.check(change, application)
        let changed = try await self.writing { records -> ApplicationRecord in
            guard var current = try records.application(id: application.id) else { return application }
            if let enforced = change.enforced { current.enforcesHTTPS = enforced }
            if let seconds = change.hstsSeconds { current.hstsSeconds = seconds }
            // Browsers that are sent to TLS no more must not be told to insist on it.
            if change.enforced == false, change.hstsSeconds == nil { current.hstsSeconds = nil }
            if let automatic = change.automaticCertificates { current.automaticCertificates = automatic }
            try records.save(current)
            return current
        }
        var words: [String] = []
        if let enforced = change.enforced { words.append(enforced ? "enforced" : "not enforced") }
        if let seconds = change.hstsSeconds { words.append("hsts \(seconds) s") }
        if let automatic = change.automaticCertificates {
            words.append("certificates \(automatic ? "auto" : "manual")")
        }
        try await self.audit("https", application, words.joined(separator: ", "), by: principal)
        if change.automaticCertificates != nil { await self.refreshCertificates() }
        try await self.refreshRoute(changed)
        return try await self.httpsInfo(changed)
    }

    private func check(_ change: HTTPSChange, _ application: ApplicationRecord) async throws(PlatformError) {
        if let seconds = change.hstsSeconds, !(0...63_072_000).contains(seconds) {
            throw PlatformError(
                .invalid, "\(seconds) is no time for HSTS: from 0 to 63072000 seconds, which are two years")
        }
        if change.automaticCertificates == true, self.desk.issuer == nil {
            throw PlatformError(.conflict, Self.noHTTPS)
        }
        guard change.enforced == true else { return }
        guard self.state.withLock({ $0.httpsAddress }) != nil else { throw PlatformError(.conflict, Self.noHTTPS) }
        let info = try await self.httpsInfo(application)
        guard !info.securedHosts.isEmpty else {
            throw PlatformError(
                .conflict,
                """
                none of the hosts of \(application.name) has a certificate, so visitors would be sent where nothing answers; \
                first: slipway certs add, or slipway certs auto
                """)
        }
    }

    private static let noHTTPS = "this platform does not serve HTTPS; start it with: slipway serve --https ADDRESS"

    private func httpsInfo(_ application: ApplicationRecord) async throws(PlatformError) -> HTTPSInfo {
        let hosts = try await self.hosts(of: application)
        return HTTPSInfo(
            isServed: self.state.withLock { $0.httpsAddress } != nil, enforced: application.enforcesHTTPS,
            hstsSeconds: application.hstsSeconds,
            automaticCertificates: application.automaticCertificates,
            securedHosts: hosts.filter { self.desk.certificates.certificate(host: $0) != nil },
            unsecuredHosts: hosts.filter { self.desk.certificates.certificate(host: $0) == nil })
    }
}
