import Crypto
public import Foundation
import SwiftASN1
import X509

/// An authority that issues whatever certificates a test asks for.
public struct LocalAuthority: Sendable {
    /// A certificate with its key, as PEM.
    public struct Issued: Sendable {
        /// The certificate.
        public var certificate: String
        /// Its key.
        public var key: String

        /// Makes one of any two parts.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    private let key = P256.Signing.PrivateKey()
    private let certificate: Certificate
    /// What clients have to trust, as PEM.
    public let pem: String

    /// Makes an authority of that name.
    public init(_ name: String = "Local Authority") throws {
        let subject = try DistinguishedName { CommonName(name) }
        self.certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(self.key.publicKey),
            notValidBefore: .now.addingTimeInterval(-3_600), notValidAfter: .now.addingTimeInterval(365 * 86_400),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: .init(self.key))
        self.pem = try self.certificate.serializeAsPEM().pemString + "\n"
    }

    /// Issues a certificate for these hosts.
    public func issue(
        _ hosts: String..., from: Date = .now.addingTimeInterval(-60),
        until: Date = .now.addingTimeInterval(90 * 86_400)
    ) throws -> Issued {
        let key = P256.Signing.PrivateKey()
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: from,
            notValidAfter: until, issuer: self.certificate.subject,
            subject: try DistinguishedName { CommonName(hosts.first ?? "nobody") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                if !hosts.isEmpty { SubjectAlternativeNames(hosts.map { .dnsName($0) }) }
            }, issuerPrivateKey: .init(self.key))
        return Issued(certificate: try certificate.serializeAsPEM().pemString + "\n", key: key.pemRepresentation)
    }
}
