import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

@Suite struct `The store of certificates` {
    private let authority: TestAuthority

    init() throws { self.authority = try TestAuthority() }

    private func subject(_ store: CertificateStore, _ host: String) -> String? {
        store.certificate(host: host)?.subject
    }

    @Test(arguments: [
        ("a.example", "CN=a.example"), ("A.Example.", "CN=a.example"), ("x.wild.example", "CN=*.wild.example"),
        ("own.wild.example", "CN=own.wild.example"), ("x.y.wild.example", "CN=default"), ("wild.example", "CN=default"),
        ("unknown.example", "CN=default"), ("not a host", "CN=default"),
    ])
    func `finds the exact name, then the wildcard, then the default`(host: String, expected: String) throws {
        let store = CertificateStore()
        for name in ["a.example", "*.wild.example", "own.wild.example"] {
            try store.set(try self.authority.issue([name]).certificate)
        }
        try store.setDefault(try self.authority.issue(["default"]).certificate)
        #expect(self.subject(store, host) == expected)
    }

    @Test func `has no default for unknown hosts when they are refused`() throws {
        var settings = TLSSettings()
        settings.unknownHost = .refuse
        let store = CertificateStore(settings: settings)
        try store.setDefault(try self.authority.issue(["default"]).certificate)
        #expect(store.certificate(host: "unknown.example") == nil)
        #expect(store.context(host: nil) != nil)
        #expect(store.context(host: CertificateHost("unknown.example")) == nil)
    }

    @Test func `replaces and removes by host`() throws {
        let store = CertificateStore()
        try store.set(try self.authority.issue(["a.example", "b.example"]).certificate)
        try store.set(try self.authority.issue(["new", "a.example"]).certificate, hosts: ["A.example"])
        #expect(self.subject(store, "a.example") == "CN=new")
        #expect(self.subject(store, "b.example") == "CN=a.example")
        #expect(store.certificate(host: "new") == nil)
        #expect(store.certificates.keys.sorted() == ["a.example", "b.example"])
        store.remove(hosts: ["a.example", "never.example"])
        #expect(store.certificate(host: "a.example") == nil)
        #expect(self.subject(store, "b.example") == "CN=a.example")
        try store.setDefault(nil)
        #expect(store.defaultCertificate == nil)
    }

    @Test func `refuses what cannot be used, and stays as it was`() throws {
        let store = CertificateStore()
        try store.set(try self.authority.issue(["a.example"]).certificate)
        let other = try self.authority.issue(["a.example", "b.example"]).certificate
        let cases: [([String]?, TLSCertificate, TLSError.Code)] = [
            (nil, try self.authority.issue([]).certificate, .noHosts), ([], other, .noHosts),
            (["a.example", "c.example"], other, .hostNotCovered), (["a.example", "no host"], other, .invalidHost),
        ]
        for (hosts, certificate, code) in cases {
            let error = #expect(throws: TLSError.self) { try store.set(certificate, hosts: hosts) }
            #expect(error?.code == code)
        }
        #expect(self.subject(store, "a.example") == "CN=a.example")
        #expect(store.certificates.count == 1)
    }

    @Test func `keeps one context for one certificate`() throws {
        let store = CertificateStore()
        try store.set(try self.authority.issue(["a.example", "*.a.example"]).certificate)
        let context = store.context(host: CertificateHost("a.example"))
        #expect(context != nil && context === store.context(host: CertificateHost("b.a.example")))
    }

    @Test func `tells which hosts it misses`() throws {
        let store = CertificateStore()
        let missed = Mutex<[String]>([])
        store.onMissingHost { host in missed.withLock { $0.append(host) } }
        try store.set(try self.authority.issue(["a.example"]).certificate)
        for host in ["a.example", "B.example", nil] { _ = store.context(host: host.flatMap { CertificateHost($0) }) }
        store.onMissingHost(nil)
        _ = store.context(host: CertificateHost("c.example"))
        #expect(missed.withLock { $0 } == ["b.example"])
    }
}

@Suite struct `Certificates in files` {
    private let authority: TestAuthority

    init() throws { self.authority = try TestAuthority() }

    private struct Fixture {
        var chain: FilePath
        var key: FilePath

        init(_ directory: FilePath) {
            self.chain = directory.appending("chain.pem")
            self.key = directory.appending("key.pem")
        }

        func write(_ issued: TestAuthority.Issued) throws {
            try issued.chain.write(toFile: self.chain.string, atomically: true, encoding: .utf8)
            try issued.key.write(toFile: self.key.string, atomically: true, encoding: .utf8)
        }

        var certificate: TLSCertificate {
            get throws { try TLSCertificate(chainFile: self.chain, keyFile: self.key) }
        }
    }

    @Test func `are read again when they have changed, with the hosts they then have`() async throws {
        try await withTemporaryDirectory { directory in
            let files = Fixture(directory)
            try files.write(try self.authority.issue(["a.example", "old.example"]))
            let store = CertificateStore()
            try store.set(try files.certificate)
            try store.setDefault(try files.certificate)
            try store.set(try self.authority.issue(["fixed.example"]).certificate)
            #expect(store.reload().isEmpty)

            try files.write(try self.authority.issue(["a.example", "new.example", "fixed.example"]))
            let reloads = store.reload()
            #expect(reloads.count == 2)
            for reload in reloads {
                guard case .replaced(let certificate) = reload.outcome else {
                    Issue.record("\(reload)")
                    continue
                }
                #expect(reload.certificate.hosts.contains("old.example"))
                #expect(certificate.hosts.contains("new.example"))
            }
            #expect(store.certificates.keys.sorted() == ["a.example", "fixed.example", "new.example"])
            #expect(store.certificates["fixed.example"]?.hosts == ["fixed.example"])
            #expect(store.defaultCertificate?.hosts.contains("new.example") == true)
            #expect(store.reload().isEmpty)
        }
    }

    @Test func `that have become bad leave the old certificate in use until they are good`() async throws {
        try await withTemporaryDirectory { directory in
            let files = Fixture(directory)
            try files.write(try self.authority.issue(["a.example"]))
            let store = CertificateStore()
            try store.set(try files.certificate, hosts: ["a.example"])
            let context = store.context(host: CertificateHost("a.example"))
            let next = try self.authority.issue(["a.example", "b.example"])

            func refused() -> TLSError.Code? {
                guard case .refused(let error)? = store.reload().first?.outcome else { return nil }
                #expect(store.context(host: CertificateHost("a.example")) === context)
                return error.code
            }
            try next.chain.write(toFile: files.chain.string, atomically: true, encoding: .utf8)
            #expect(refused() == .keyMismatch)
            #expect(refused() == .keyMismatch)
            try files.write(try self.authority.issue(["other.example"]))
            #expect(refused() == .hostNotCovered)
            try FileManager.default.removeItem(atPath: files.key.string)
            #expect(refused() == .unreadableFile)

            try files.write(next)
            #expect(store.reload().count == 1)
            #expect(store.context(host: CertificateHost("a.example")) !== context)
            #expect(store.certificates.keys.sorted() == ["a.example"])
        }
    }

    @Test func `that were only touched change nothing`() async throws {
        try await withTemporaryDirectory { directory in
            let files = Fixture(directory)
            let issued = try self.authority.issue(["a.example"])
            try files.write(issued)
            let store = CertificateStore()
            try store.set(try files.certificate)
            let context = store.context(host: CertificateHost("a.example"))
            try files.write(issued)
            #expect(store.reload().isEmpty)
            #expect(store.context(host: CertificateHost("a.example")) === context)
        }
    }
}
