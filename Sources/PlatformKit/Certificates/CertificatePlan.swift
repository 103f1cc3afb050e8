#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Which host is served with which certificate, and for which one is ordered. Pure: the same state gives the same plan.
///
/// An application's certificates are used for its own hosts and no others, whatever else they name: what is added for one
/// application must not speak for another. The platform's certificates are used for all that they name. Of several for one
/// host, an application's own goes before the platform's, and the newer before the older.
struct CertificatePlan: Sendable, Equatable {
    struct Application: Sendable {
        var id: String
        var hosts: [String]
        var isAutomatic: Bool
    }

    /// A certificate that was added and can be used.
    struct Certificate: Sendable {
        var id: String
        /// `nil` for the platform's own.
        var applicationID: String?
        var names: [String]
        var addedAt: Date
    }

    /// The certificates by the hosts that they are used for; a wildcard stands for itself.
    var served: [String: String] = [:]
    /// The hosts that an issuer is to have certificates for.
    var ordered: Set<String> = []

    init(applications: [Application], certificates: [Certificate]) {
        let oldestFirst = certificates.sorted { ($0.addedAt, $0.id) < ($1.addedAt, $1.id) }
        let common = oldestFirst.filter { $0.applicationID == nil }
        for certificate in common {
            for name in certificate.names { self.served[name] = certificate.id }
        }
        let owned = Dictionary(grouping: oldestFirst.filter { $0.applicationID != nil }) { $0.applicationID }
        for application in applications {
            for host in application.hosts {
                if let own = owned[application.id]?.last(where: { Self.names($0.names, cover: host) }) {
                    self.served[host] = own.id
                } else if application.isAutomatic, Self.canBeOrdered(host),
                    !common.contains(where: { Self.names($0.names, cover: host) })
                {
                    self.ordered.insert(host)
                }
            }
        }
    }

    /// Whether a client that asks for this host takes a certificate with these names: the host itself, or the wildcard one
    /// label above it.
    static func names(_ names: [String], cover host: String) -> Bool {
        guard !names.contains(host) else { return true }
        guard let dot = host.firstIndex(of: ".") else { return false }
        return names.contains("*" + host[dot...])
    }

    /// Whether an authority could connect to it by that name: not on this machine only, no wildcard, no address.
    static func canBeOrdered(_ host: String) -> Bool {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2, let last = labels.last, last != "localhost", !host.contains("*") else { return false }
        return last.utf8.contains { $0 >= UInt8(ascii: "a") }
    }
}
