import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a certificate says that its renewal depends on.
struct CertificateFacts: Equatable, Sendable {
    var notBefore: Date
    var notAfter: Date
    /// Its name where the authority tells when to renew it (RFC 9773 section 4.1); nil when it has none.
    var renewalID: String?

    /// Reads the first certificate of a chain in PEM.
    init(chain: [UInt8]) throws {
        guard let document = try PEMDocument.parseMultiple(pemString: String(decoding: chain, as: UTF8.self)).first
        else {
            throw ACMEError(.unexpectedAnswer, "There is no certificate in the chain.")
        }
        let certificate = try Certificate(pemDocument: document)
        self.notBefore = certificate.notValidBefore
        self.notAfter = certificate.notValidAfter
        guard let issuerKey = try certificate.extensions.authorityKeyIdentifier?.keyIdentifier else { return }
        var serial = Array(certificate.serialNumber.bytes.drop { $0 == 0 })
        // As an INTEGER is written: positive.
        if serial.first.map({ $0 >= 0x80 }) ?? true { serial.insert(0, at: 0) }
        self.renewalID = "\(Base64URL.encode(issuerKey)).\(Base64URL.encode(serial))"
    }

    init(notBefore: Date, notAfter: Date, renewalID: String? = nil) {
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.renewalID = renewalID
    }

    /// When two thirds of its time are over, less up to a twentieth by chance, so that those that were issued
    /// together are not renewed together.
    ///
    /// - Parameter chance: between 0 and 1.
    func renewal(chance: Double) -> Date {
        let lifetime = self.notAfter.timeIntervalSince(self.notBefore)
        return self.notBefore.addingTimeInterval(lifetime * (2.0 / 3.0 - chance / 20))
    }

    /// Whatever the authority says about when to renew, a tenth of the time is left for trying.
    var latestRenewal: Date {
        self.notBefore.addingTimeInterval(self.notAfter.timeIntervalSince(self.notBefore) * 0.9)
    }
}
