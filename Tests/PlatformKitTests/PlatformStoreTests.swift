import Foundation
import GRDB
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite struct PlatformStoreTests {
    @Test func `keeps what was written, also when opened again`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("state.db")
            let application = self.application("hello")
            let release = self.release(of: application, 1)
            do {
                let store = try SQLitePlatformStore(path: path)
                try await store.write { records in
                    try records.save(application)
                    try records.insert(release)
                }
            }
            let store = try SQLitePlatformStore(path: path)
            let (applications, releases) = try await store.read { records in
                (try records.applications(), try records.releases(of: application.id, limit: 10))
            }
            #expect(applications == [application])
            #expect(releases == [release])
        }
    }

    @Test(arguments: [
        (#"{"bootTimeoutSeconds":9,"path":"/up"}"#, CheckRecord.Question.http(path: "/up", headers: [:], content: nil)),
        (#"{"bootTimeoutSeconds":9}"#, .listening),
    ])
    func `reads the checks of releases of the first version`(row: String, question: CheckRecord.Question) throws {
        var life = LifeRecord(bootTimeoutSeconds: 9)
        life.readiness = CheckRecord(question)
        #expect(try JSONDecoder().decode(LifeRecord.self, from: Data(row.utf8)) == life)
        // What is written now, and asks nothing, is not taken for such a row.
        let silent = LifeRecord(bootTimeoutSeconds: 9)
        #expect(try JSONDecoder().decode(LifeRecord.self, from: JSONEncoder().encode(silent)) == silent)
    }

    @Test func `a transaction that throws changes nothing`() async throws {
        struct Failure: Error {}
        let store = try SQLitePlatformStore()
        let application = self.application("hello")
        await #expect(throws: Failure.self) {
            try await store.write { records in
                try records.save(application)
                throw Failure()
            }
        }
        #expect(try await store.read { try $0.applications() }.isEmpty)
    }

    @Test func `deleting an application deletes all that belongs to it`() async throws {
        let store = try SQLitePlatformStore()
        let application = self.application("hello")
        let release = self.release(of: application, 1)
        try await store.write { records in
            try records.save(application)
            try records.insert(release)
            try records.insert(DomainRecord(host: "www.example.com", applicationID: application.id))
            try records.deleteApplication(id: application.id)
        }
        let (domain, left, slugs) = try await store.read { records in
            (
                try records.domain(host: "www.example.com"), try records.release(1, of: application.id),
                try records.slugsInUse(exceptBy: nil)
            )
        }
        #expect(domain == nil)
        #expect(left == nil)
        #expect(slugs.isEmpty)
    }

    @Test func `a release never changes`() async throws {
        let store = try SQLitePlatformStore()
        let application = self.application("hello")
        let release = self.release(of: application, 1)
        try await store.write { records in
            try records.save(application)
            try records.insert(release)
        }
        await #expect(throws: (any Error).self) { try await store.write { try $0.insert(release) } }
    }

    @Test func `finds the deployments that are not over`() async throws {
        let store = try SQLitePlatformStore()
        let application = self.application("hello")
        try await store.write { records in
            try records.save(application)
            for (number, state) in ["live", "building", "failed", "rolling-out"].enumerated() {
                try records.save(
                    DeploymentRecord(
                        applicationID: application.id, number: number + 1, state: state, description: "", author: "",
                        commit: nil, release: nil, cause: nil, createdAt: Date(timeIntervalSince1970: Double(number)),
                        finishedAt: nil))
            }
        }
        let open = try await store.read { try $0.deployments(notIn: ["live", "failed"]) }
        #expect(open.map(\.number) == [2, 4])
    }

    @Test func `the audit log forgets its oldest entries`() async throws {
        let store = try SQLitePlatformStore()
        try await store.write { records in
            for number in 1...10 {
                try records.append(
                    AuditRecord(
                        at: Date(timeIntervalSince1970: 0), actor: "a", action: "n\(number)", application: nil,
                        detail: ""),
                    keeping: 3)
            }
        }
        #expect(try await store.read { try $0.audit(limit: 100) }.map(\.action) == ["n10", "n9", "n8"])
    }

    @Test func `opens a file of the version before`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("state.db")
            do {
                let database = try DatabaseQueue(path: path.string)
                try PlatformMigrations.all.migrate(database, upTo: "1 applications, releases, deployments")
                try await database.write { database in
                    try database.execute(
                        sql: """
                            INSERT INTO application (id, name, createdAt, maintenance, lastRelease, lastDeployment,
                                lastOneOff, formation, sealedConfig)
                            VALUES ('id-hello', 'hello', 1, 0, 0, 0, 0, '{"web":2}', x'010203')
                            """)
                }
                try database.close()
            }
            let store = try SQLitePlatformStore(path: path)
            let (applications, certificates) = try await store.read { records in
                (try records.applications(), try records.certificates())
            }
            #expect(applications == [self.application("hello")])
            #expect(certificates.isEmpty)
        }
    }

    @Test func `keeps certificates and what is said about HTTPS`() async throws {
        let store = try SQLitePlatformStore()
        var application = self.application("hello")
        application.automaticCertificates = true
        application.enforcesHTTPS = true
        application.hstsSeconds = 60
        let own = CertificateRecord(
            id: "1", applicationID: application.id, hosts: ["a.example", "*.b.example"], chain: "pem",
            sealedKey: Data([1, 2]), createdAt: Date(timeIntervalSince1970: 5), author: "ada")
        var common = own
        common.id = "2"
        common.applicationID = nil
        try await store.write { [application, common] records in
            try records.save(application)
            try records.insert(own)
            try records.insert(common)
        }
        #expect(try await store.read { try $0.applications() } == [application])
        #expect(try await store.read { try $0.certificates() } == [own, common])
        try await store.write { [application] in try $0.deleteApplication(id: application.id) }
        #expect(try await store.read { try $0.certificates() } == [common])
        try await store.write { try $0.deleteCertificate(id: "2") }
        #expect(try await store.read { try $0.certificates() }.isEmpty)
    }

    private func application(_ name: String) -> ApplicationRecord {
        var application = ApplicationRecord(id: "id-\(name)", name: name, createdAt: Date(timeIntervalSince1970: 1))
        application.formation = ["web": 2]
        application.sealedConfig = Data([1, 2, 3])
        return application
    }

    private static let life: LifeRecord = {
        var life = LifeRecord(bootTimeoutSeconds: 9)
        life.startup = CheckRecord(.command(["./up", "a b"]), attempts: 9)
        life.readiness = CheckRecord(
            .http(path: "/up", headers: ["Host": "a.example"], content: "ok"), successes: 2, statuses: [200...204])
        life.startupDescriptor = 3
        life.output = OutputRecord(rate: 1 << 20, drops: true)
        life.liveness = CheckRecord(.listening, initialDelay: 1, wait: 2, timeout: 3, attempts: 4)
        life.stopSignal = 2
        life.stopGraceSeconds = 3600
        life.isSingleton = true
        life.recycleAfterSeconds = 86400
        life.recycleMemoryBytes = 1 << 30
        life.preStop = "./leave"
        life.postStart = "./greet"
        return life
    }()

    private func release(of application: ApplicationRecord, _ version: Int) -> ReleaseRecord {
        ReleaseRecord(
            applicationID: application.id, version: version, slug: "sha256:0", commit: nil, author: "a",
            description: "d", createdAt: Date(timeIntervalSince1970: 2), processTypes: ["web": "run"],
            releaseCommand: nil, life: ["web": Self.life],
            sealedConfig: Data())
    }
}
