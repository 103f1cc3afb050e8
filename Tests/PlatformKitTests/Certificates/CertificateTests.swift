import Foundation
import MetricsCore
import PlatformKitTesting
import PlatformWire
import RouterCore
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct CertificateTests {
    private let authority: LocalAuthority
    private let certificates = CertificateStore()
    private let issuer = ScriptedIssuer()

    init() throws { self.authority = try LocalAuthority() }

    private func upload(_ hosts: String..., until: Date = .now.addingTimeInterval(90.5 * 86_400)) throws
        -> CertificateUpload
    {
        let issued =
            switch hosts.count {
            case 0: try self.authority.issue(until: until)
            case 1: try self.authority.issue(hosts[0], until: until)
            default: try self.authority.issue(hosts[0], hosts[1], until: until)
            }
        return CertificateUpload(certificate: issued.certificate, key: issued.key)
    }

    private func withPlatform(_ body: @Sendable (Harness) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            try await Harness(directory, certificates: self.certificates, issuer: self.issuer).running(body)
        }
    }

    @Test func `is served from the moment it is added, with its key sealed in the state`() async throws {
        try await self.withPlatform { host in
            try await host.create()
            let upload = try self.upload("blog.localhost", "elsewhere.example.com")
            let added = try await host.platform.addCertificate(upload, to: "blog", by: Harness.ada)
            #expect(added.servedHosts == ["blog.localhost"])
            #expect(added.hosts == ["blog.localhost", "elsewhere.example.com"])
            #expect(added.state == "valid" && added.daysLeft == 90 && added.issuer == "CN=Local Authority")
            #expect(self.certificates.certificate(host: "blog.localhost") != nil)
            #expect(self.certificates.certificate(host: "elsewhere.example.com") == nil)
            let record = try #require(try await host.store.read { try $0.certificates() }.first)
            #expect(record.sealedKey.range(of: Data("PRIVATE KEY".utf8)) == nil)
            #expect(try await host.platform.application(named: "blog").url == "http://blog.localhost:8080/")
            await host.platform.setAddresses(http: "0.0.0.0:80", https: "0.0.0.0:443", admin: "127.0.0.1:8081")
            #expect(try await host.platform.application(named: "blog").url == "https://blog.localhost/")
            let audit = try await host.platform.audit(limit: 1)
            #expect(audit.first?.action == "certs.add" && audit.first?.detail.hasPrefix("blog.localhost") == true)
        }
    }

    @Test func `what cannot be used is refused with the reason`() async throws {
        try await self.withPlatform { host in
            try await host.create()
            let good = try self.upload("blog.localhost")
            let other = try self.upload("blog.localhost")
            let cases: [(CertificateUpload, String)] = [
                (CertificateUpload(certificate: "nothing", key: good.key), "no usable certificate"),
                (CertificateUpload(certificate: good.certificate, key: "nothing"), "no usable private key"),
                (CertificateUpload(certificate: good.certificate, key: other.key), "does not belong"),
                (try self.upload("blog.localhost", until: .now.addingTimeInterval(-10)), "ended on"),
                (try self.upload("other.example.com"), "none of these is a host of blog (blog.localhost)"),
                (try self.upload(), "names no host"),
            ]
            for (upload, reason) in cases {
                await expect(.invalid, reason) {
                    try await host.platform.addCertificate(upload, to: "blog", by: Harness.ada)
                }
            }
            let long = String(repeating: "x", count: host.platform.configuration.maxCertificateBytes + 1)
            await expect(.limit) {
                try await host.platform.addCertificate(
                    CertificateUpload(certificate: long, key: good.key), to: "blog", by: Harness.ada)
            }
            #expect(try await host.platform.certificates(of: nil).isEmpty)
        }
    }

    @Test func `a newer one takes the place of those whose hosts it names, and follows added and removed hosts`()
        async throws
    {
        try await self.withPlatform { host in
            try await host.create()
            let first = try self.upload("blog.localhost")
            let second = try self.upload("blog.localhost", "www.example.com")
            _ = try await host.platform.addCertificate(first, to: "blog", by: Harness.ada)
            let before = self.certificates.certificate(host: "blog.localhost")
            _ = try await host.platform.addCertificate(second, to: "blog", by: Harness.ada)
            #expect(self.certificates.certificate(host: "blog.localhost") != before)
            #expect(try await host.platform.certificates(of: "blog").count == 1)
            #expect(self.certificates.certificate(host: "www.example.com") == nil)
            _ = try await host.platform.addDomain("www.example.com", to: "blog", by: Harness.ada)
            #expect(self.certificates.certificate(host: "www.example.com") != nil)
            _ = try await host.platform.removeDomain("www.example.com", from: "blog", by: Harness.ada)
            #expect(self.certificates.certificate(host: "www.example.com") == nil)
            let removed = try await host.platform.removeCertificate(
                host: "blog.localhost", of: "blog", by: Harness.ada)
            #expect(removed.hosts == ["blog.localhost", "www.example.com"])
            #expect(self.certificates.certificates.isEmpty)
            await expect(.notFound) {
                try await host.platform.removeCertificate(host: "blog.localhost", of: "blog", by: Harness.ada)
            }
        }
    }

    @Test func `goes with its application, and follows its name`() async throws {
        try await self.withPlatform { host in
            try await host.create()
            _ = try await host.platform.addCertificate(
                self.upload("blog.localhost", "news.localhost"), to: "blog", by: Harness.ada)
            _ = try await host.platform.renameApplication("blog", to: "news", by: Harness.ada)
            #expect(Array(self.certificates.certificates.keys) == ["news.localhost"])
            try await host.platform.destroyApplication("news", by: Harness.ada)
            #expect(self.certificates.certificates.isEmpty)
            #expect(try await host.store.read { try $0.certificates() }.isEmpty)
        }
    }

    @Test func `the platform's own serves every application, and is in the list of those that it serves`() async throws
    {
        try await self.withPlatform { host in
            try await host.create()
            let upload = try self.upload("*.localhost")
            _ = try await host.platform.addCertificate(upload, to: nil, by: Harness.ada)
            #expect(self.certificates.certificate(host: "blog.localhost") != nil)
            let listed = try await host.platform.certificates(of: "blog")
            #expect(listed.map(\.application) == [nil] && listed.map(\.servedHosts) == [["*.localhost"]])
        }
    }

    @Test func `are there again after a restart, but for one whose row was damaged`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore(path: directory.appending("state.db"))
            try await Harness(directory, store: store, certificates: CertificateStore()).running { host in
                for name in ["blog", "shop"] {
                    try await host.create(name)
                    let upload = try self.upload("\(name).localhost")
                    _ = try await host.platform.addCertificate(upload, to: name, by: Harness.ada)
                }
            }
            try await store.write { records in
                guard var record = try records.certificates().first(where: { $0.hosts == ["shop.localhost"] }) else {
                    return
                }
                try records.deleteCertificate(id: record.id)
                record.sealedKey[record.sealedKey.startIndex + 20] ^= 1
                try records.insert(record)
            }
            try await Harness(directory, store: store, certificates: self.certificates).running { host in
                #expect(Array(self.certificates.certificates.keys) == ["blog.localhost"])
                let damaged = try await host.platform.certificates(of: "shop")
                #expect(damaged.map(\.state) == ["unusable"])
                #expect(damaged.first?.lastError?.contains("key of a certificate") == true, "\(damaged)")
            }
        }
    }

    @Test func `are ordered where that is switched on, and failures are told`() async throws {
        try await self.withPlatform { host in
            try await host.create()
            _ = try await host.platform.addDomain("www.example.com", to: "blog", by: Harness.ada)
            let on = HTTPSChange(automaticCertificates: true)
            #expect(try await host.platform.setHTTPS(on, of: "blog", by: Harness.ada).automaticCertificates)
            #expect(self.issuer.hosts == ["www.example.com"])
            _ = try await host.platform.addDomain("api.example.com", to: "blog", by: Harness.ada)
            #expect(self.issuer.hosts == ["www.example.com", "api.example.com"])
            // Added ones go before ordered ones.
            _ = try await host.platform.addCertificate(self.upload("api.example.com"), to: "blog", by: Harness.ada)
            #expect(self.issuer.hosts == ["www.example.com"])
            self.issuer.fail("www.example.com", because: "nobody answers")
            let id = try await host.platform.find("blog").id
            while !host.logs.recent(id, limit: 100).contains(where: { $0.text.contains("nobody answers") }) {
                await Task.yield()
            }
            let listed = try await host.platform.certificates(of: "blog")
            #expect(listed.map(\.state) == ["valid", "failing"] && listed.last?.lastError == "nobody answers")
            _ = try await host.platform.setHTTPS(
                HTTPSChange(automaticCertificates: false), of: "blog", by: Harness.ada)
            #expect(self.issuer.hosts.isEmpty)
        }
    }

    @Test func `visitors are sent to https only where something answers`() async throws {
        try await self.withPlatform { host in
            try await host.create()
            try await host.deploy()
            let on = HTTPSChange(enforced: true, hstsSeconds: 60)
            await expect(.conflict, "does not serve HTTPS") {
                try await host.platform.setHTTPS(on, of: "blog", by: Harness.ada)
            }
            await host.platform.setAddresses(http: "0.0.0.0:80", https: "0.0.0.0:8443", admin: "127.0.0.1:8081")
            await expect(.conflict, "has a certificate") {
                try await host.platform.setHTTPS(on, of: "blog", by: Harness.ada)
            }
            _ = try await host.platform.addCertificate(self.upload("blog.localhost"), to: "blog", by: Harness.ada)
            let info = try await host.platform.setHTTPS(on, of: "blog", by: Harness.ada)
            #expect(info.enforced && info.hstsSeconds == 60 && info.securedHosts == ["blog.localhost"])
            let id = try await host.platform.find("blog").id
            #expect(
                host.runtime.snapshot.routes[id]?.https
                    == WorkloadRoute.HTTPS(port: 8443, isEnforced: true, strictFor: .seconds(60)))
            _ = try await host.platform.setHTTPS(HTTPSChange(enforced: false), of: "blog", by: Harness.ada)
            #expect(
                host.runtime.snapshot.routes[id]?.https
                    == WorkloadRoute.HTTPS(port: 8443, isEnforced: false, strictFor: nil))
            await expect(.invalid) {
                try await host.platform.setHTTPS(HTTPSChange(hstsSeconds: -1), of: "blog", by: Harness.ada)
            }
        }
    }

    @Test(arguments: [8443, 0])
    func `after a restart nothing enforced is served in clear text, not even before the addresses are known`(port: Int)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                for name in ["open", "closed"] {
                    try await host.create(name)
                    try await host.deploy(name)
                }
            }
            try await store.write { records in
                var closed = try #require(try records.application(named: "closed"))
                closed.enforcesHTTPS = true
                try records.save(closed)
            }
            // Its instances do not get ready, so that the start stays where the router begins to listen.
            let runtime = ScriptedRuntime(boot: { _ in .staysStarting })
            let host = try Harness(directory, runtime: runtime, store: store) {
                $0.httpsAddress = "0.0.0.0:\(port)"
            }
            let open = try await host.platform.find("open").id
            let closed = try await host.platform.find("closed").id
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await host.platform.run() }
                try await host.platform.waitUntilRouted()
                let enforced = WorkloadRoute.HTTPS(port: 8443, isEnforced: true, strictFor: nil)
                let early = try #require(runtime.snapshot.routes[closed])
                #expect(early.https == (port == 0 ? nil : enforced) && early.maintenance == (port == 0))
                #expect(runtime.snapshot.routes[open]?.maintenance == false)
                await host.platform.setAddresses(http: "0.0.0.0:80", https: "0.0.0.0:8443", admin: "127.0.0.1:8081")
                let late = try #require(runtime.snapshot.routes[closed])
                #expect(late.https == enforced && !late.maintenance)
                #expect(runtime.snapshot.routes[open]?.https?.isEnforced == false)
                group.cancelAll()
            }
        }
    }
}
