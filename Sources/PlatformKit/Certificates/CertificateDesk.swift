internal import Logging
internal import RouterCore
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Brings the certificates that handshakes find to what the platform's state says.
///
/// Its certificates are used from the next handshake on. One that cannot be used is told of and left out; the others are
/// not touched by it.
final class CertificateDesk: Sendable {
    /// What became of an added certificate.
    struct Entry: Sendable {
        /// `nil` when it cannot be used.
        var certificate: TLSCertificate?
        var problem: String?
    }

    private struct State {
        /// The added certificates by their identities.
        var entries: [String: Entry] = [:]
        /// What was put into use: identities by hosts.
        var served: [String: String] = [:]
    }

    let certificates: CertificateStore
    let issuer: (any CertificateIssuer)?
    private let sealer: ConfigSealer
    private let logger: Logger
    private let state = Mutex(State())
    private let turns = TurnQueue()

    init(certificates: CertificateStore, issuer: (any CertificateIssuer)?, sealer: ConfigSealer, logger: Logger) {
        self.certificates = certificates
        self.issuer = issuer
        self.sealer = sealer
        self.logger = logger
    }

    /// What became of an added certificate.
    func entry(_ id: String) -> Entry? { self.state.withLock { $0.entries[id] } }

    /// The hosts for which clients get this added certificate now.
    func servedHosts(_ id: String) -> [String] {
        self.state.withLock { state in state.served.filter { $0.value == id }.map(\.key) }.sorted()
    }

    /// Looks at the state and does what it says. One look at a time, so that an older one never undoes a newer one.
    ///
    /// - Parameter look: reads what is wanted.
    func refresh(
        _ look: () async throws -> (applications: [CertificatePlan.Application], records: [CertificateRecord])
    ) async throws {
        try await self.turns.withTurn {
            let (applications, records) = try await look()
            self.apply(applications, records)
        }
    }

    private func apply(_ applications: [CertificatePlan.Application], _ records: [CertificateRecord]) {
        var entries = self.state.withLock { $0.entries }
        entries = entries.filter { entry in records.contains { $0.id == entry.key } }
        for record in records where entries[record.id] == nil { entries[record.id] = self.open(record) }
        let plan = CertificatePlan(
            applications: applications,
            certificates: records.filter { entries[$0.id]?.certificate != nil }.map {
                CertificatePlan.Certificate(
                    id: $0.id, applicationID: $0.applicationID, names: $0.hosts, addedAt: $0.createdAt)
            })
        var served = self.state.withLock { $0.served }
        // New ones come before old ones go, so that no handshake falls between the two.
        for (host, id) in plan.served.sorted(by: { $0.key < $1.key }) where served[host] != id {
            guard let certificate = entries[id]?.certificate else { continue }
            do throws(TLSError) {
                try self.certificates.set(certificate, hosts: [host])
                served[host] = id
            } catch {
                entries[id]?.problem = error.description
                self.report(error.description, hosts: [host])
            }
        }
        self.order(plan.ordered)
        let previous = self.state.withLock { $0.entries }
        for (host, id) in served where plan.served[host] == nil {
            let own = entries[id]?.certificate ?? previous[id]?.certificate
            // The issuer may have put its own in the place already.
            if self.certificates.certificates[host] == own { self.certificates.remove(hosts: [host]) }
            served[host] = nil
        }
        self.state.withLock { [entries, served] in
            $0.entries = entries
            $0.served = served
        }
    }

    private func order(_ hosts: Set<String>) {
        do {
            try self.issuer?.setHosts(hosts)
        } catch {
            self.logger.error("cannot order certificates", metadata: ["error": "\(error)"])
        }
    }

    private func open(_ record: CertificateRecord) -> Entry {
        do {
            let key = try self.sealer.open(record.sealedKey, for: record.sealingContext)["key"] ?? ""
            return Entry(
                certificate: try TLSCertificate(chain: Array(record.chain.utf8), key: Array(key.utf8)), problem: nil)
        } catch {
            self.report("\(error)", hosts: record.hosts)
            return Entry(certificate: nil, problem: "\(error)")
        }
    }

    private func report(_ problem: String, hosts: [String]) {
        self.logger.error(
            "a certificate cannot be used",
            metadata: ["hosts": "\(hosts.joined(separator: ", "))", "error": "\(problem)"])
    }
}
