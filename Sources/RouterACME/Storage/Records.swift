import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The account as it is kept.
struct AccountRecord: Codable, Equatable {
    var directory: String
    var key: String
    var url: String?
    var contact: [String]?
}

/// A certificate as it is kept. In one piece, so that a chain is never found with another one's key.
struct CertificateRecord: Codable, Equatable {
    var host: String
    var directory: String
    var chain: String
    var key: String
    /// Whether it was ordered because a client asked for the host.
    var isOnDemand: Bool
    /// The challenge that worked, to be tried first the next time.
    var challenge: ACMEChallengeKind?
}

/// Reads and writes the records.
struct RecordStore: Sendable {
    let storage: any ACMEStorage
    let directory: String

    private static func digest(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).map { byte in
            let hex = String(byte, radix: 16)
            return hex.utf8.count == 1 ? "0" + hex : hex
        }.joined()
    }

    /// One account for each authority, whose URL is no name.
    private var accountName: String { "accounts/\(Self.digest(self.directory)).json" }

    private static func certificateName(_ host: String) -> String {
        "certificates/\(host.utf8.count <= 200 ? host : self.digest(host)).json"
    }

    func account() async throws -> AccountRecord? { try await self.read(AccountRecord.self, self.accountName) }

    func write(_ account: AccountRecord) async throws { try await self.write(account, self.accountName) }

    func write(_ certificate: CertificateRecord) async throws {
        try await self.write(certificate, Self.certificateName(certificate.host))
    }

    func removeCertificate(of host: String) async throws {
        try await self.acting("remove", Self.certificateName(host)) { try await self.storage.remove($0) }
    }

    /// All certificates, and what is wrong with those that cannot be used.
    func certificates() async throws -> (records: [CertificateRecord], errors: [ACMEError]) {
        let names = try await self.acting("list", "certificates") { try await self.storage.names(in: $0) }
        var records: [CertificateRecord] = []
        var errors: [ACMEError] = []
        for name in names where name.hasSuffix(".json") {
            do {
                guard let record = try await self.read(CertificateRecord.self, "certificates/\(name)") else { continue }
                guard Self.certificateName(record.host) == "certificates/\(name)" else {
                    throw ACMEError(.storage, "What is kept as 'certificates/\(name)' is another host's.")
                }
                records.append(record)
            } catch let error as ACMEError {
                errors.append(error)
            }
        }
        return (records, errors)
    }

    private func read<Record: Decodable>(_ type: Record.Type, _ name: String) async throws -> Record? {
        guard let bytes = try await self.acting("read", name, { try await self.storage.read($0) }) else { return nil }
        do {
            return try JSON.decode(type, bytes)
        } catch {
            // The error underneath may quote what it could not read, which may be a key.
            throw ACMEError(
                .storage, "What is kept as '\(name)' is damaged. Remove it, and it is made anew.")
        }
    }

    private func write(_ record: some Encodable, _ name: String) async throws {
        let bytes = try JSON.encode(record)
        try await self.acting("write", name) { try await self.storage.write($0, bytes) }
    }

    private func acting<R>(_ verb: String, _ name: String, _ body: (String) async throws -> R) async throws -> R {
        do {
            return try await body(name)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw ACMEError(.storage, "The storage of certificates cannot \(verb) '\(name)'.", cause: error)
        }
    }
}
