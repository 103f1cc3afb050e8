public import PlatformWire

/// Applications, their config, domains and maintenance page.
extension APIClient {
    /// All applications.
    public func applications() async throws -> [ApplicationInfo] {
        try await self.value(Call(.get, "apps"))
    }

    /// Creates an application.
    public func createApplication(named name: String) async throws -> ApplicationInfo {
        try await self.value(Call(.post, "apps").json(ApplicationName(name: name)))
    }

    /// One application.
    public func application(named name: String) async throws -> ApplicationInfo {
        try await self.value(Call(.get, "apps", name))
    }

    /// Gives an application another name, and with it another host.
    public func renameApplication(_ name: String, to newName: String) async throws -> ApplicationInfo {
        try await self.value(Call(.patch, "apps", name).json(ApplicationName(name: newName)))
    }

    /// Removes an application with everything that belongs to it.
    ///
    /// Returns when what runs of it has ended, however long its grace is: ``Configuration/timeout`` does not hold here.
    public func destroyApplication(_ name: String) async throws {
        try await self.body(Call(.delete, "apps", name, query: [("confirm", name)])) { _ in }
    }

    /// Switches the maintenance page on or off.
    public func setMaintenance(_ enabled: Bool, of application: String) async throws -> ApplicationInfo {
        try await self.value(Call(.put, "apps", application, "maintenance").json(MaintenanceChange(enabled: enabled)))
    }

    /// The config variables of an application.
    public func config(of application: String) async throws -> [String: String] {
        try await self.value(Call(.get, "apps", application, "config"))
    }

    /// Sets (a value) and removes (`nil`) config variables, and rolls the change out.
    ///
    /// - Returns: the new release, or `nil` when nothing is deployed yet and the change was only saved.
    public func changeConfig(
        _ changes: [String: String?], of application: String, onLine: ProgressHandler
    ) async throws -> ReleaseInfo? {
        let call = try Call(.patch, "apps", application, "config").json(ConfigChange(variables: changes))
        return try await self.events(call, result: ReleaseInfo?.self, onLine: onLine)
    }

    /// The hosts that lead to an application.
    public func domains(of application: String) async throws -> [String] {
        try await self.value(Call(.get, "apps", application, "domains"))
    }

    /// Adds a host, and returns all of them.
    public func addDomain(_ host: String, to application: String) async throws -> [String] {
        try await self.value(Call(.post, "apps", application, "domains").json(DomainChange(host: host)))
    }

    /// Removes a host, and returns the others.
    public func removeDomain(_ host: String, from application: String) async throws -> [String] {
        try await self.value(Call(.delete, "apps", application, "domains", host))
    }
}
