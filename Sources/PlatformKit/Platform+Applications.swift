internal import BuildpackKit
internal import GitReceiver
internal import Logging
internal import MetricsCore
public import PlatformWire
internal import RouterCore
internal import SlugStore
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Makes an application and its repository.
    ///
    /// - Throws: `invalid` for a bad name, `conflict` for one that is taken, `limit` when there are too many.
    public func createApplication(
        named name: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo {
        try Self.check(name: name)
        let application = ApplicationRecord(id: UUID().uuidString.lowercased(), name: name, createdAt: self.now())
        let maximum = self.configuration.maxApplications
        let host = "\(name).\(self.configuration.domain)"
        try await self.writing { records in
            try self.checkThatNameIsFree(name)
            guard try records.application(named: name) == nil else {
                throw PlatformError(.conflict, "there is an application \(name) already")
            }
            guard try records.domain(host: host) == nil else {
                throw PlatformError(.conflict, "the host \(host) belongs to another application")
            }
            guard try records.applications().count < maximum else {
                throw PlatformError(.limit, "there are \(maximum) applications, which is the limit")
            }
            try records.save(application)
        }
        do {
            // A host that was killed between forgetting an application and its repository leaves that behind. Nobody has
            // the name but this application, whose history it is not.
            if self.gitServer.repositoryExists(name) { try await self.gitServer.removeRepository(name) }
            try await self.gitServer.createRepository(name)
        } catch {
            try await self.writing { try $0.deleteApplication(id: application.id) }
            throw PlatformError(.internalError, "cannot make the repository of \(name): \(error)", cause: error)
        }
        self.names.set(name, of: application.id)
        try await self.audit("app.create", application, "", by: principal)
        await self.controller(of: application.id).load(
            try await self.routeSettings(of: application), live: nil, formation: [:])
        return try await self.application(named: name)
    }

    /// All applications by name.
    public func applications() async throws(PlatformError) -> [ApplicationInfo] {
        let applications = try await self.reading { try $0.applications() }
        var result: [ApplicationInfo] = []
        for application in applications { result.append(try await self.info(application)) }
        return result
    }

    /// One application.
    public func application(named name: String) async throws(PlatformError) -> ApplicationInfo {
        try await self.info(try await self.find(name))
    }

    /// Gives an application another name; its host and its repository follow at once, `SLIPWAY_APP` with the next release.
    public func renameApplication(
        _ name: String, to newName: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo {
        try Self.check(name: newName)
        let application = try await self.find(name)
        let newHost = "\(newName).\(self.configuration.domain)"
        let isHeld = self.state.withLock { state in
            guard state.renaming[name] == nil, !state.renaming.values.contains(application.id),
                !state.departing.contains(application.id)
            else { return false }
            state.renaming[name] = application.id
            return true
        }
        guard isHeld else {
            throw PlatformError(.conflict, "\(name) is being renamed or destroyed already")
        }
        defer { self.state.withLock { $0.renaming[name] = nil } }
        try await self.writing { records in
            guard try records.application(named: newName) == nil else {
                throw PlatformError(.conflict, "there is an application \(newName) already")
            }
            try self.checkThatNameIsFree(newName)
            // Added while the platform had another domain.
            guard try records.domain(host: newHost).map({ $0.applicationID == application.id }) ?? true else {
                throw PlatformError(.conflict, "the host \(newHost) belongs to another application")
            }
            guard var current = try records.application(id: application.id), current.name == name else {
                // Since it was found. Its repository may by now be another's.
                throw PlatformError(.notFound, "there is no application \(name) any more")
            }
            current.name = newName
            try records.save(current)
        }
        do {
            try await self.gitServer.renameRepository(from: name, to: newName)
        } catch {
            try await self.writing { records in
                guard var current = try records.application(id: application.id) else { return }
                current.name = name
                try records.save(current)
            }
            throw PlatformError(.internalError, "cannot rename the repository of \(name): \(error)", cause: error)
        }
        self.names.set(newName, of: application.id)
        self.registry.removeSeries(where: "app", equals: name)
        try await self.audit("app.rename", application, "to \(newName)", by: principal)
        try await self.refreshRoute(try await self.find(newName))
        await self.refreshCertificates()
        return try await self.application(named: newName)
    }

    /// Switches the maintenance page on or off.
    public func setMaintenance(
        _ enabled: Bool, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ApplicationInfo {
        var application = try await self.find(name)
        application = try await self.writing { [application] records in
            guard var current = try records.application(id: application.id) else { return application }
            current.maintenance = enabled
            try records.save(current)
            return current
        }
        try await self.audit("maintenance", application, enabled ? "on" : "off", by: principal)
        try await self.refreshRoute(application)
        return try await self.application(named: name)
    }

    // MARK: Hosts

    /// The hosts that lead to an application, the platform's own first.
    public func domains(of name: String) async throws(PlatformError) -> [String] {
        try await self.application(named: name).domains
    }

    /// Leads a host to an application.
    ///
    /// - Throws: `invalid` for what is no host name, `conflict` for a host that belongs to another application or is the
    ///   platform's domain or below it, `limit` when the application has too many.
    public func addDomain(
        _ host: String, to name: String, by principal: Principal
    ) async throws(PlatformError) -> [String] {
        let host = host.lowercased()
        try Self.check(host: host)
        let application = try await self.find(name)
        let domain = self.configuration.domain.lowercased()
        guard host != domain else {
            throw PlatformError(.conflict, "\(host) is the platform's own domain, and leads to no application")
        }
        let maximum = self.configuration.maxDomainsPerApplication
        try await self.writing { records in
            if let taken = try records.domain(host: host) {
                let owner = try records.application(id: taken.applicationID)?.name ?? "another application"
                throw PlatformError(.conflict, "\(host) belongs to \(owner)")
            }
            if host.hasSuffix(".\(domain)") {
                throw PlatformError(.conflict, "hosts under \(domain) follow the names of applications")
            }
            guard try records.domains(of: application.id).count < maximum else {
                throw PlatformError(
                    .limit, "\(application.name) has \(maximum) hosts of its own, which is the limit; remove one first")
            }
            try records.insert(DomainRecord(host: host, applicationID: application.id))
        }
        try await self.audit("domain.add", application, host, by: principal)
        try await self.refreshRoute(application)
        await self.refreshCertificates()
        return try await self.domains(of: name)
    }

    /// Leads a host nowhere.
    public func removeDomain(
        _ host: String, from name: String, by principal: Principal
    ) async throws(PlatformError) -> [String] {
        let host = host.lowercased()
        let application = try await self.find(name)
        try await self.writing { records in
            guard try records.domain(host: host)?.applicationID == application.id else {
                throw PlatformError(.notFound, "\(name) does not have the host \(host)")
            }
            try records.deleteDomain(host: host)
        }
        try await self.audit("domain.remove", application, host, by: principal)
        try await self.refreshRoute(application)
        await self.refreshCertificates()
        return try await self.domains(of: name)
    }

    // MARK: Shared

    /// To be called where the name is written: whoever frees one has it held before, until its repository is out of the way.
    private func checkThatNameIsFree(_ name: String) throws(PlatformError) {
        guard !self.state.withLock({ $0.renaming[name] != nil }) else {
            throw PlatformError(.conflict, "\(name) is being renamed or destroyed; try again in a moment")
        }
    }

    func find(_ name: String) async throws(PlatformError) -> ApplicationRecord {
        guard let application = try await self.reading({ try $0.application(named: name) }) else {
            throw PlatformError(.notFound, "there is no application \(name); make it with: slipway apps create \(name)")
        }
        return application
    }

    /// The application as it is now, whatever it is called by now.
    func current(_ application: ApplicationRecord) async throws(PlatformError) -> ApplicationRecord {
        guard let current = try await self.reading({ try $0.application(id: application.id) }) else {
            throw PlatformError(.notFound, "\(application.name) was destroyed")
        }
        return current
    }

    /// Where visitors reach an application: over HTTPS when there is a certificate for its host.
    func url(of name: String) -> String {
        let host = "\(name).\(self.configuration.domain)"
        let (http, https) = self.state.withLock { ($0.httpAddress, $0.httpsAddress) }
        if let port = https.flatMap(Self.port), self.desk.certificates.certificate(host: host) != nil {
            return "https://\(host)" + (port == 443 ? "/" : ":\(port)/")
        }
        let port = Self.port(of: http) ?? 80
        return "http://\(host)" + (port == 80 ? "/" : ":\(port)/")
    }

    private func info(_ application: ApplicationRecord) async throws(PlatformError) -> ApplicationInfo {
        let admin = self.state.withLock { $0.adminAddress }
        return ApplicationInfo(
            name: application.name, createdAt: application.createdAt, release: application.liveRelease,
            maintenance: application.maintenance, url: self.url(of: application.name),
            gitURL: "http://\(admin)/git/\(application.name).git",
            domains: try await self.hosts(of: application), formation: application.formation)
    }

    func refreshRoute(_ application: ApplicationRecord) async throws(PlatformError) {
        await self.controller(of: application.id).set(try await self.routeSettings(of: application))
    }

    private static func check(name: String) throws(PlatformError) {
        let allowed = name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        guard allowed, (1...63).contains(name.utf8.count), !name.hasPrefix("-"), !name.hasSuffix("-") else {
            throw PlatformError(
                .invalid,
                "\(name.debugDescription) is no name for an application: use 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"
            )
        }
    }

    private static func check(host: String) throws(PlatformError) {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        let isValid = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy {
                    $0 == UInt8(ascii: "-") || (97...122).contains($0) || (48...57).contains($0)
                } && !label.hasPrefix("-") && !label.hasSuffix("-")
        }
        // Addresses are nobody's: a request to one comes from somebody who knows no host.
        let isAddress = labels.last?.utf8.allSatisfy { (48...57).contains($0) } ?? true
        guard isValid, !isAddress, labels.count >= 2, host.utf8.count <= 253 else {
            throw PlatformError(.invalid, "\(host.debugDescription) is no host name, such as www.example.com")
        }
    }
}
