internal import GRDB

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The records within one transaction. Lives no longer than the closure that it is handed to.
struct SQLiteRecords: PlatformRecordsWriting {
    let database: Database

    func applications() throws -> [ApplicationRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM application ORDER BY name").map(
            ApplicationRecord.init(row:))
    }

    func application(named name: String) throws -> ApplicationRecord? {
        try Row.fetchOne(self.database, sql: "SELECT * FROM application WHERE name = ?", arguments: [name])
            .map(ApplicationRecord.init(row:))
    }

    func application(id: String) throws -> ApplicationRecord? {
        try Row.fetchOne(self.database, sql: "SELECT * FROM application WHERE id = ?", arguments: [id])
            .map(ApplicationRecord.init(row:))
    }

    func save(_ application: ApplicationRecord) throws {
        try self.database.execute(
            sql: """
                INSERT INTO application (id, name, createdAt, maintenance, liveRelease, lastRelease, lastDeployment,
                    lastOneOff, formation, sealedConfig, automaticCertificates, enforcesHTTPS, hstsSeconds, sizes,
                    user)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, maintenance = excluded.maintenance,
                    liveRelease = excluded.liveRelease, lastRelease = excluded.lastRelease,
                    lastDeployment = excluded.lastDeployment, lastOneOff = excluded.lastOneOff,
                    formation = excluded.formation, sealedConfig = excluded.sealedConfig,
                    automaticCertificates = excluded.automaticCertificates,
                    enforcesHTTPS = excluded.enforcesHTTPS, hstsSeconds = excluded.hstsSeconds,
                    sizes = excluded.sizes, user = excluded.user
                """,
            arguments: [
                application.id, application.name, application.createdAt.timeIntervalSince1970, application.maintenance,
                application.liveRelease, application.lastRelease, application.lastDeployment, application.lastOneOff,
                try encodeJSON(application.formation), application.sealedConfig, application.automaticCertificates,
                application.enforcesHTTPS, application.hstsSeconds, try encodeJSON(application.sizes),
                application.user,
            ])
    }

    func deleteApplication(id: String) throws {
        try self.database.execute(sql: "DELETE FROM application WHERE id = ?", arguments: [id])
    }

    func releases(of applicationID: String, limit: Int) throws -> [ReleaseRecord] {
        try Row.fetchAll(
            self.database, sql: "SELECT * FROM release WHERE applicationID = ? ORDER BY version DESC LIMIT ?",
            arguments: [applicationID, limit]
        ).map(ReleaseRecord.init(row:))
    }

    func release(_ version: Int, of applicationID: String) throws -> ReleaseRecord? {
        try Row.fetchOne(
            self.database, sql: "SELECT * FROM release WHERE applicationID = ? AND version = ?",
            arguments: [applicationID, version]
        ).map(ReleaseRecord.init(row:))
    }

    func releases() throws -> [ReleaseRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM release ORDER BY applicationID, version DESC")
            .map(ReleaseRecord.init(row:))
    }

    func pins(of applicationID: String) throws -> Set<Int> {
        try Int.fetchSet(
            self.database, sql: "SELECT version FROM pin WHERE applicationID = ?", arguments: [applicationID])
    }

    func setPin(_ isPinned: Bool, of version: Int, of applicationID: String) throws {
        try self.database.execute(
            sql: isPinned
                ? "INSERT OR IGNORE INTO pin (applicationID, version) VALUES (?, ?)"
                : "DELETE FROM pin WHERE applicationID = ? AND version = ?",
            arguments: [applicationID, version])
    }

    func slugsInUse(exceptBy applicationID: String?) throws -> Set<String> {
        try String.fetchSet(
            self.database, sql: "SELECT DISTINCT slug FROM release WHERE applicationID IS NOT ?",
            arguments: [applicationID])
    }

    func insert(_ release: ReleaseRecord) throws {
        try self.database.execute(
            sql: """
                INSERT INTO release (applicationID, version, slug, "commit", author, description, createdAt,
                    processTypes, releaseCommand, readiness, sealedConfig)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                release.applicationID, release.version, release.slug, release.commit, release.author,
                release.description, release.createdAt.timeIntervalSince1970, try encodeJSON(release.processTypes),
                release.releaseCommand, try encodeJSON(release.life), release.sealedConfig,
            ])
    }

    func deployments(of applicationID: String, limit: Int) throws -> [DeploymentRecord] {
        try Row.fetchAll(
            self.database, sql: "SELECT * FROM deployment WHERE applicationID = ? ORDER BY number DESC LIMIT ?",
            arguments: [applicationID, limit]
        ).map(DeploymentRecord.init(row:))
    }

    func deployment(_ number: Int, of applicationID: String) throws -> DeploymentRecord? {
        try Row.fetchOne(
            self.database, sql: "SELECT * FROM deployment WHERE applicationID = ? AND number = ?",
            arguments: [applicationID, number]
        ).map(DeploymentRecord.init(row:))
    }

    func deployments(notIn states: Set<String>) throws -> [DeploymentRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM deployment ORDER BY createdAt")
            .map(DeploymentRecord.init(row:))
            .filter { !states.contains($0.state) }
    }

    func save(_ deployment: DeploymentRecord) throws {
        try self.database.execute(
            sql: """
                INSERT INTO deployment (applicationID, number, state, description, author, "commit", release, cause,
                    createdAt, finishedAt)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (applicationID, number) DO UPDATE SET state = excluded.state,
                    description = excluded.description, "commit" = excluded."commit", release = excluded.release,
                    cause = excluded.cause, finishedAt = excluded.finishedAt
                """,
            arguments: [
                deployment.applicationID, deployment.number, deployment.state, deployment.description,
                deployment.author, deployment.commit, deployment.release, deployment.cause,
                deployment.createdAt.timeIntervalSince1970, deployment.finishedAt?.timeIntervalSince1970,
            ])
    }

    func domains(of applicationID: String) throws -> [DomainRecord] {
        try Row.fetchAll(
            self.database, sql: "SELECT * FROM domain WHERE applicationID = ? ORDER BY host",
            arguments: [applicationID]
        ).map { DomainRecord(host: $0["host"], applicationID: $0["applicationID"]) }
    }

    func domains() throws -> [DomainRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM domain ORDER BY host")
            .map { DomainRecord(host: $0["host"], applicationID: $0["applicationID"]) }
    }

    func domain(host: String) throws -> DomainRecord? {
        try Row.fetchOne(self.database, sql: "SELECT * FROM domain WHERE host = ?", arguments: [host])
            .map { DomainRecord(host: $0["host"], applicationID: $0["applicationID"]) }
    }

    func insert(_ domain: DomainRecord) throws {
        try self.database.execute(
            sql: "INSERT INTO domain (host, applicationID) VALUES (?, ?)",
            arguments: [domain.host, domain.applicationID])
    }

    func deleteDomain(host: String) throws {
        try self.database.execute(sql: "DELETE FROM domain WHERE host = ?", arguments: [host])
    }

    func certificates() throws -> [CertificateRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM certificate ORDER BY createdAt, id")
            .map(CertificateRecord.init(row:))
    }

    func insert(_ certificate: CertificateRecord) throws {
        try self.database.execute(
            sql: """
                INSERT INTO certificate (id, applicationID, hosts, chain, sealedKey, createdAt, author)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                certificate.id, certificate.applicationID, try encodeJSON(certificate.hosts), certificate.chain,
                certificate.sealedKey, certificate.createdAt.timeIntervalSince1970, certificate.author,
            ])
    }

    func deleteCertificate(id: String) throws {
        try self.database.execute(sql: "DELETE FROM certificate WHERE id = ?", arguments: [id])
    }

    func token(digest: String) throws -> TokenRecord? {
        try Row.fetchOne(self.database, sql: "SELECT * FROM token WHERE digest = ?", arguments: [digest])
            .map {
                TokenRecord(
                    digest: $0["digest"], name: $0["name"], role: $0["role"],
                    createdAt: Date(timeIntervalSince1970: $0["createdAt"]))
            }
    }

    func save(_ token: TokenRecord) throws {
        try self.database.execute(
            sql: "INSERT OR REPLACE INTO token (digest, name, role, createdAt) VALUES (?, ?, ?, ?)",
            arguments: [token.digest, token.name, token.role, token.createdAt.timeIntervalSince1970])
    }

    func deleteTokens(named name: String) throws {
        try self.database.execute(sql: "DELETE FROM token WHERE name = ?", arguments: [name])
    }

    func audit(limit: Int) throws -> [AuditRecord] {
        try Row.fetchAll(self.database, sql: "SELECT * FROM audit ORDER BY id DESC LIMIT ?", arguments: [limit])
            .map {
                AuditRecord(
                    at: Date(timeIntervalSince1970: $0["at"]), actor: $0["actor"], action: $0["action"],
                    application: $0["application"], detail: $0["detail"])
            }
    }

    func append(_ entry: AuditRecord, keeping: Int) throws {
        try self.database.execute(
            sql: "INSERT INTO audit (at, actor, action, application, detail) VALUES (?, ?, ?, ?, ?)",
            arguments: [entry.at.timeIntervalSince1970, entry.actor, entry.action, entry.application, entry.detail])
        try self.database.execute(
            sql: "DELETE FROM audit WHERE id <= (SELECT MAX(id) FROM audit) - ?", arguments: [keeping])
    }
}

extension ApplicationRecord {
    fileprivate init(row: Row) throws {
        self.init(id: row["id"], name: row["name"], createdAt: Date(timeIntervalSince1970: row["createdAt"]))
        self.maintenance = row["maintenance"]
        self.liveRelease = row["liveRelease"]
        self.lastRelease = row["lastRelease"]
        self.lastDeployment = row["lastDeployment"]
        self.lastOneOff = row["lastOneOff"]
        self.formation = try decodeJSON(row["formation"])
        self.sealedConfig = row["sealedConfig"]
        self.automaticCertificates = row["automaticCertificates"]
        self.enforcesHTTPS = row["enforcesHTTPS"]
        self.hstsSeconds = row["hstsSeconds"]
        self.sizes = try decodeJSON(row["sizes"])
        self.user = row["user"]
    }
}

extension CertificateRecord {
    fileprivate init(row: Row) throws {
        self.init(
            id: row["id"], applicationID: row["applicationID"], hosts: try decodeJSON(row["hosts"]),
            chain: row["chain"], sealedKey: row["sealedKey"],
            createdAt: Date(timeIntervalSince1970: row["createdAt"]), author: row["author"])
    }
}

extension ReleaseRecord {
    fileprivate init(row: Row) throws {
        self.init(
            applicationID: row["applicationID"], version: row["version"], slug: row["slug"], commit: row["commit"],
            author: row["author"], description: row["description"],
            createdAt: Date(timeIntervalSince1970: row["createdAt"]),
            processTypes: try decodeJSON(row["processTypes"]), releaseCommand: row["releaseCommand"],
            life: try decodeJSON(row["readiness"]), sealedConfig: row["sealedConfig"])
    }
}

extension DeploymentRecord {
    fileprivate init(row: Row) {
        self.init(
            applicationID: row["applicationID"], number: row["number"], state: row["state"],
            description: row["description"], author: row["author"], commit: row["commit"], release: row["release"],
            cause: row["cause"], createdAt: Date(timeIntervalSince1970: row["createdAt"]),
            finishedAt: (row["finishedAt"] as Double?).map(Date.init(timeIntervalSince1970:)))
    }
}

private func encodeJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

private func decodeJSON<T: Decodable>(_ text: String) throws -> T {
    try JSONDecoder().decode(T.self, from: Data(text.utf8))
}
