import Crypto
import Foundation
import SwiftASN1
import Testing
import X509

@testable import RouterCore

/// Certificates whose keys are of many kinds, each signed by itself.
@Suite struct `The key of a certificate` {
    /// Of nobody; 2,048 bits.
    private static let rsa = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC+ABVdB6qNvso0
        2A70N/8HiWv3xw7+kk7X+sLIPaX/bk1TWimMoygBs8fxiw6KM0r20IIcx/CUSU9g
        opFbNBNoVjHJ5qK+vePNWVpyQAl512V5fBiJQ1Kt9mjaB3Q0GBX5+kPgx993LPra
        8cBjxWzWS9RsFLzGEVszghEjesEP4qGGR3c5VHER8h5Cod67uFHi+vQUeNMYBo8D
        QTn6W27N8iSOzcOCC+ZvTFcNpnmOvDqwpEEEepyDVS7cHmygt+INwxGpHwsog+3v
        fG5BPWXG5z4KfZtR63sRrQOiljCT2UM9S/irxMUh+rpCQwLCsHXipBn6M47ZLxdc
        vNVWAtT7AgMBAAECggEATkYMhwnceo6qEQEdkADtoLY9c5NfGwM9Vf7pdcLn+wX+
        9yLC0Tx6A9GDwn+OGuMss+eMYrz/4Kce+2mdxlv6ztYLpujMDRZ/nZ59A2pcPQS+
        ukCkfw/sJNzJr2C4v6lYjGZMxnKxHhC6u64ymye/Qb11op0cc+C8mMixtNMibB80
        vdI5i0s7KFman8yPAX6DlvBI6OSrZRGcUaWS/0smX8Idn+/kuJhKPZA1CDeOQB1X
        XxMbKyeMWtr6SvtQnu7OC7TPzxgcGvgJLybW0jPR76nw7rxkPQwChP+HKlH5kqwa
        gXwEuXsiq/thCBg7PfS/txQSaxcxBXAAFVCSe284SQKBgQDfr4GQ8vyuzFhsvACs
        XwRP4oT7Qso9cqchby7LSxLfopYTcgbVA7EC7/YpC35vPsZbhOZsoB9WzQbg+vU5
        YgIOVLghPb/k2YFjHtD5C+nXvtev9aamTbPqmzPNzLPAlnmQQk2Amvg7uWfUAUQE
        bzZFeFhJdMaVHFeedogyXOas/wKBgQDZcs5wbf0NJ2S81+f9bK9Bsks116tDX+Y6
        QqIwluUPX8VDnyNMIauGEwV70mGg5X4otUCD9IVgVVKR06TAkb+EhpTuzvNeJXpo
        /dwltlSC23gHmBpkYsvE+4qDWdUWip5HDXqG/qlbknuoycTd28da+xXz+OPA3oCC
        an/ZMxqMBQKBgAfl4INHsRhS6sRcFwH/EN3pN5zPjOiChdguXs6axf3Tdc0V95vJ
        15Qs+NoWJ86xvrs4hBJNzQ15i8ah1crC5SOwZhf2YDIqY+EmE2bXvtf5SxBRciLp
        F3MvK7MWiTpBleU8EhR6ZE1njHz11nr5mkb1qthdIS3epFFaChENKq/tAoGBAL3g
        VUmxkXVJ/9oywh32KLc6RBh5AdCsTfJzuwKo0M3y9+MLdBwHjqpds70iwSNpIhfT
        5ckT3N94wcgawlNxMYY8qpI5XiPIoDJL8k9v/i3iDNa8x9b+uiaA67u01rB/TKSI
        rYRxnVsb9yU1QtXkExlsBQhsPhxtblPzQT5dNIItAoGBAKjinQ/t8AURQnED01Tx
        /OfFuO6ndywN33Dw+OBACuzKjHoktsQIfAMNL3t4Z5s3wjHu8VqGdYkv7P6QLESO
        lLsrfBx84gT3KX42Gz/oztY7tdIwqTIEM3cWuvDhs3YJWmQBWN8LvNjWX+xGLOLN
        blmybx+u0kg/a+R/QZ9ExkYY
        -----END PRIVATE KEY-----
        """

    private static func issue(_ key: Certificate.PrivateKey, hosts: [String] = ["a.example"]) throws -> [UInt8] {
        let name = try DistinguishedName { CommonName("a.example") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key.publicKey,
            notValidBefore: .now.addingTimeInterval(-60), notValidAfter: .now.addingTimeInterval(3600), issuer: name,
            subject: name,
            extensions: try Certificate.Extensions { SubjectAlternativeNames(hosts.map { .dnsName($0) }) },
            issuerPrivateKey: key)
        return Array(try certificate.serializeAsPEM().pemString.utf8)
    }

    private static func load(
        _ key: Certificate.PrivateKey, hosts: [String] = ["a.example"], limits: TLSCertificate.Limits = .init()
    ) throws -> TLSCertificate {
        let pem = try key.serializeAsPEM().pemString
        return try TLSCertificate(chain: self.issue(key, hosts: hosts), key: Array(pem.utf8), limits: limits)
    }

    @Test func `may be of a kind that signs quickly`() throws {
        for key: Certificate.PrivateKey in try [
            .init(P256.Signing.PrivateKey()), .init(P384.Signing.PrivateKey()),
            .init(P521.Signing.PrivateKey()), .init(Curve25519.Signing.PrivateKey()),
            .init(pemEncoded: Self.rsa),
        ] {
            let certificate = try Self.load(key)
            #expect(certificate.hosts == ["a.example"])
            try CertificateStore().set(certificate)
        }
    }

    @Test func `is no larger and no smaller than it may be`() throws {
        let rsa = try Certificate.PrivateKey(pemEncoded: Self.rsa)
        var limits = TLSCertificate.Limits()
        for range in [2048...2048, 1024...2048, 2048...8192] {
            limits.rsaBits = range
            #expect(try Self.load(rsa, limits: limits).hosts == ["a.example"])
        }
        for range in [2049...4096, 1024...2047] {
            limits.rsaBits = range
            let error = #expect(throws: TLSError.self) { try Self.load(rsa, limits: limits) }
            #expect(error?.code == .unsuitableKey)
            #expect(error?.message.contains("RSA with 2048 bits") == true)
            #expect(error?.message.contains("RSA with \(range.lowerBound) to \(range.upperBound) bits") == true)
        }
    }

    @Test func `is read from its description`() throws {
        func spki(_ algorithm: [UInt8], _ bits: [UInt8]) -> [UInt8] {
            func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
                [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 255)] + content
            }
            return element(0x30, element(0x30, algorithm) + element(0x03, [0] + bits))
        }
        let rsa: [UInt8] = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0]
        func modulus(_ bytes: [UInt8]) -> [UInt8] {
            let number = [UInt8(0x02), 0x82, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
            let both = number + [2, 3, 1, 0, 1]
            return [0x30, 0x82, UInt8(both.count >> 8), UInt8(both.count & 255)] + both
        }
        for (bytes, bits) in [
            ([UInt8(0), 0x80] + [UInt8](repeating: 1, count: 2047), 16_384),
            ([0, 0xFF] + Array(repeating: 0, count: 127), 1024),
            ([0x01] + Array(repeating: 0, count: 256), 2049), ([0, 0, 0, 1], 1),
        ] {
            #expect(CertificateKey(publicKey: spki(rsa, modulus(bytes))) == .rsa(bits: bits))
        }
        #expect(CertificateKey(publicKey: spki([6, 3, 0x2B, 0x65, 0x70], [1])) == .ed25519)
        // Ed448, a curve that is spelt out, nothing, and what breaks off.
        for other in [
            spki([6, 3, 0x2B, 0x65, 0x71], [1]), spki([6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 0x30, 0], [4]), [],
            spki(rsa, modulus([0])), Array(spki(rsa, modulus([9])).dropLast()),
        ] {
            #expect(CertificateKey(publicKey: other) == .other)
        }
    }

    @Test func `belongs to so many hosts at most`() throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let hosts = (0..<100).map { "a\($0).example" }
        #expect(try Self.load(key, hosts: hosts).hosts == hosts)
        let error = #expect(throws: TLSError.self) { try Self.load(key, hosts: hosts + ["b.example"]) }
        #expect(error?.code == .tooManyHosts)
        #expect(error?.message.contains("101 hosts; at most 100") == true)
        var limits = TLSCertificate.Limits()
        limits.maxHosts = 101
        #expect(try Self.load(key, hosts: hosts + ["b.example"], limits: limits).hosts.count == 101)
    }
}
