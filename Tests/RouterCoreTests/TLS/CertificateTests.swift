import Foundation
import NIOSSL
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

@Suite struct `A certificate` {
    @Test func `tells its hosts, its dates and its names`() throws {
        let authority = try TestAuthority("Root, Inc.")
        let until = Date(timeIntervalSince1970: 2_000_000_000)
        let certificate = try authority.issue(["Shop.example.com", "*.shop.example.com"], until: until).certificate
        #expect(certificate.hosts == ["shop.example.com", "*.shop.example.com"])
        #expect(certificate.notAfter == 2_000_000_000)
        #expect(certificate.notBefore < certificate.notAfter)
        #expect(certificate.subject == "CN=Shop.example.com")
        #expect(certificate.issuer == "O=Tests,CN=Root\\, Inc.")
    }

    @Test(arguments: [
        ("shop.example.com", true), ("SHOP.example.com.", true), ("a.shop.example.com", true),
        ("a.b.shop.example.com", false), ("example.com", false), ("", false), ("*.shop.example.com", true),
    ])
    func `covers its hosts, and one label below a wildcard`(host: String, expected: Bool) throws {
        let certificate = try TestAuthority().issue(["shop.example.com", "*.shop.example.com"]).certificate
        #expect(certificate.covers(host: host) == expected)
    }

    @Test func `is refused with a word on what is wrong`() throws {
        let authority = try TestAuthority()
        let (one, other) = (try authority.issue(["one.example"]), try authority.issue(["other.example"]))
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let cases: [(chain: String, key: String, code: TLSError.Code, says: String)] = [
            ("", one.key, .malformedCertificate, "BEGIN CERTIFICATE"),
            ("nonsense", one.key, .malformedCertificate, "BEGIN CERTIFICATE"),
            (one.key, one.key, .malformedCertificate, "BEGIN CERTIFICATE"),
            (String(one.chain.prefix(200)), one.key, .malformedCertificate, "BEGIN CERTIFICATE"),
            (one.chain, "", .malformedKey, "BEGIN PRIVATE KEY"), (one.chain, one.chain, .malformedKey, "BEGIN PRIVATE"),
            (one.chain, encrypted, .malformedKey, "openssl pkey"),
            (one.chain, other.key, .keyMismatch, "does not belong"),
            (other.chain + one.chain, one.key, .keyMismatch, "come first"),
        ]
        for (chain, key, code, says) in cases {
            let error = try #require(throws: TLSError.self) {
                _ = try TLSCertificate(chain: Array(chain.utf8), key: Array(key.utf8))
            }
            #expect(error.code == code, "\(error)")
            #expect(error.message.contains(says), "\(error)")
            if !key.isEmpty { #expect(!"\(error)".contains(key.split(separator: "\n")[1])) }
        }
    }

    @Test func `is read from files, which an error names`() async throws {
        let issued = try TestAuthority().issue(["shop.example.com"])
        try await withTemporaryDirectory { directory in
            let (chain, key) = (directory.appending("shop.pem"), directory.appending("shop.key"))
            try issued.chain.write(toFile: chain.string, atomically: true, encoding: .utf8)
            let missing = #expect(throws: TLSError.self) { _ = try TLSCertificate(chainFile: chain, keyFile: key) }
            #expect(missing?.code == .unreadableFile && missing?.message.contains("shop.key") == true)
            try (issued.chain + issued.key).write(toFile: chain.string, atomically: true, encoding: .utf8)
            #expect(try TLSCertificate(chainFile: chain, keyFile: chain).hosts == ["shop.example.com"])
            try "x".write(toFile: key.string, atomically: true, encoding: .utf8)
            let bad = #expect(throws: TLSError.self) { _ = try TLSCertificate(chainFile: chain, keyFile: key) }
            #expect(bad?.code == .malformedKey && bad?.message.contains("shop.key") == true)
            let notAFile = #expect(throws: TLSError.self) { _ = try TLSCertificate(chainFile: directory, keyFile: key) }
            #expect(notAFile?.code == .unreadableFile)
        }
    }

    @Test func `never shows its key`() throws {
        let issued = try TestAuthority().issue(["shop.example.com"])
        let certificate = try issued.certificate
        var dumped = ""
        dump(certificate, to: &dumped)
        let bytes = try certificate.key.derBytes.map { String($0) }.joined(separator: ", ")
        for text in ["\(certificate)", String(reflecting: certificate), dumped] {
            #expect(text.contains("shop.example.com"))
            #expect(!text.contains("PRIVATE") && !text.contains(bytes))
        }
    }
}

@Suite struct `The names in a certificate` {
    @Test func `are one line of ASCII whatever they hold`() throws {
        let hostile = (organization: " #é, \"Sons\" + <Co>; a=b\\ ", name: "eve\r\nX-Admin: 1\u{0}")
        let certificate = try TestAuthority().issue([], subject: hostile).certificate
        #expect(
            certificate.subject
                == #"CN=eve\0D\0AX-Admin: 1\00,O=\ #\C3\A9\, \"Sons\" \+ \<Co\>\; a\=b\\\ "#)
    }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }

    private static func part(_ type: [UInt8], _ tag: UInt8, _ value: [UInt8]) -> [UInt8] {
        self.element(0x30, self.element(0x06, type) + self.element(tag, value))
    }

    @Test(
        arguments: [
            ([part([0x55, 4, 3], 0x0C, Array("a".utf8))], "CN=a"), ([], ""),
            ([part([0x55, 4, 3], 0x0C, [0x61]) + part([0x55, 4, 11], 0x13, [0x62])], "CN=a+OU=b"),
            ([part([0x55, 4, 6], 0x13, [0x44, 0x45]), part([0x55, 4, 3], 0x14, [0xE9])], "CN=\\C3\\A9,C=DE"),
            ([part([0x55, 4, 99], 0x1E, [0, 0x61, 0x20, 0xAC])], "2.5.4.99=a\\E2\\82\\AC"),
            ([part([0x2A, 0x86, 0x48, 0x01], 0x0C, [0x61])], "1.2.840.1=a"),
            ([part([0x88, 0x37], 0x0C, [0x61])], "2.999=a"),
            (
                [part([0x2A] + [UInt8](repeating: 0xFF, count: 12) + [1], 0x0C, [0x61])],
                "OID.2AFFFFFFFFFFFFFFFFFFFFFFFF01=a"
            ),
            ([part([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1], 0x16, Array("a@b".utf8))], "emailAddress=a@b"),
        ] as [([[UInt8]], String)])
    func `are written as RFC 4514 has it`(parts: [[UInt8]], expected: String) throws {
        let name = Self.element(0x30, parts.flatMap { Self.element(0x31, $0) })
        let fields = Self.element(0x02, [1]) + [0x30, 0] + [0x30, 0] + [0x30, 0] + name
        let certificate = Self.element(0x30, Self.element(0x30, fields))
        let names = try #require(CertificateNames(certificate: certificate))
        #expect(names.subject == expected && names.issuer.isEmpty)
    }

    @Test(arguments: 0..<8)
    func `are read without leaving the certificate`(round: Int) throws {
        let certificate = try TestAuthority().issue(["shop.example.com"]).certificate
        let bytes = try certificate.chain[0].toDERBytes()
        var random = LoopRandom(seed: UInt64(round) + 99)
        for _ in 0..<500 {
            var damaged = bytes
            for _ in 0..<(1 + random.next() % 3) {
                damaged[Int(random.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { damaged.removeLast(Int(random.next() % UInt64(damaged.count))) }
            if let names = CertificateNames(certificate: damaged) {
                #expect((names.subject + names.issuer).utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
            }
        }
    }
}
