import Crypto
import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A new key for a certificate, and the request for one (RFC 2986).
struct SigningRequest {
    private let key = P256.Signing.PrivateKey()
    /// The request in DER.
    let bytes: [UInt8]

    init(hosts: [String]) throws {
        let extensions = try Certificate.Extensions {
            SubjectAlternativeNames(hosts.map { .dnsName($0) })
        }
        // The subject stays empty: names of hosts are long and do not fit into it, and nobody looks there.
        let request = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName(), privateKey: .init(self.key),
            attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))]),
            signatureAlgorithm: .ecdsaWithSHA256)
        var serializer = DER.Serializer()
        try serializer.serialize(request)
        self.bytes = serializer.serializedBytes
    }

    /// The key, to be kept with the certificate.
    var keyPEM: String { self.key.pemRepresentation + "\n" }
}

/// The certificate that answers a TLS-ALPN-01 challenge (RFC 8737 section 3).
enum ChallengeCertificate {
    static func make(host: String, keyAuthorization: String, now: Date) throws -> (chain: [UInt8], key: [UInt8]) {
        let key = P256.Signing.PrivateKey()
        let digest = ASN1OctetString(contentBytes: Array(SHA256.hash(data: Data(keyAuthorization.utf8)))[...])
        var serializer = DER.Serializer()
        try serializer.serialize(digest)
        let identifier = Certificate.Extension(
            oid: [1, 3, 6, 1, 5, 5, 7, 1, 31], critical: true, value: serializer.serializedBytes[...])
        let name = try DistinguishedName { CommonName("ACME challenge") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: now.addingTimeInterval(-86_400), notValidAfter: now.addingTimeInterval(7 * 86_400),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                SubjectAlternativeNames([.dnsName(host)])
                identifier
            },
            issuerPrivateKey: .init(key))
        return (Array(try certificate.serializeAsPEM().pemString.utf8), Array(key.pemRepresentation.utf8))
    }
}
