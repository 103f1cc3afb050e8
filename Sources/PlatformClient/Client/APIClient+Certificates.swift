public import PlatformWire

/// Certificates, and how applications are reached over HTTPS.
extension APIClient {
    /// The certificates of an application: its own, those that are ordered for it, and the platform's that serve it.
    /// Without an application, all that there are.
    public func certificates(of application: String?) async throws -> [CertificateInfo] {
        try await self.value(application.map { Call(.get, "apps", $0, "certs") } ?? Call(.get, "certs"))
    }

    /// Adds a certificate with its key, for an application or, without one, for the platform itself.
    public func addCertificate(
        _ upload: CertificateUpload, to application: String?
    ) async throws -> CertificateInfo {
        let call = application.map { Call(.post, "apps", $0, "certs") } ?? Call(.post, "certs")
        return try await self.value(call.json(upload))
    }

    /// Removes the added certificate that names a host, for all hosts that it names, and returns it.
    public func removeCertificate(host: String, of application: String?) async throws -> CertificateInfo {
        try await self.value(
            application.map { Call(.delete, "apps", $0, "certs", host) } ?? Call(.delete, "certs", host))
    }

    /// How an application is reached over HTTPS.
    public func https(of application: String) async throws -> HTTPSInfo {
        try await self.value(Call(.get, "apps", application, "https"))
    }

    /// Changes how an application is reached over HTTPS. What is missing stays as it is.
    public func setHTTPS(_ change: HTTPSChange, of application: String) async throws -> HTTPSInfo {
        try await self.value(Call(.patch, "apps", application, "https").json(change))
    }
}
