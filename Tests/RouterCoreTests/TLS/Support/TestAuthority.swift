import Crypto
import Foundation
import RouterCore
import SwiftASN1
import X509

/// An authority for tests, which issues whatever it is asked for.
struct TestAuthority {
    /// A certificate and its key, as PEM.
    struct Issued {
        var chain: String
        var key: String

        var certificate: TLSCertificate {
            get throws { try TLSCertificate(chain: Array(self.chain.utf8), key: Array(self.key.utf8)) }
        }
    }

    private let key = P256.Signing.PrivateKey()
    private let certificate: Certificate
    let pem: String

    init(_ name: String = "Test Authority") throws {
        let subject = try DistinguishedName {
            CommonName(name)
            OrganizationName("Tests")
        }
        self.certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(self.key.publicKey),
            notValidBefore: .now.addingTimeInterval(-3600), notValidAfter: .now.addingTimeInterval(86_400),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            },
            issuerPrivateKey: .init(self.key))
        self.pem = try self.certificate.serializeAsPEM().pemString + "\n"
    }

    func issue(
        _ hosts: [String], subject: (organization: String, name: String)? = nil,
        from: Date = .now.addingTimeInterval(-60),
        until: Date = .now.addingTimeInterval(3600)
    ) throws -> Issued {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName {
            if let subject { OrganizationName(subject.organization) }
            CommonName(subject?.name ?? hosts.first ?? "nobody")
        }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: from,
            notValidAfter: until, issuer: self.certificate.subject, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                if !hosts.isEmpty { SubjectAlternativeNames(hosts.map { .dnsName($0) }) }
            },
            issuerPrivateKey: .init(self.key))
        return Issued(chain: try certificate.serializeAsPEM().pemString + "\n", key: key.pemRepresentation)
    }
}
