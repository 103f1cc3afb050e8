#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// How things stand with one host, for an operator.
public struct ACMEHostStatus: Sendable {
    /// What is going on. There may come to be more than these.
    public struct State: RawRepresentable, Sendable, Hashable, Codable {
        /// The word that people read.
        public let rawValue: String

        /// The state with this word.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// It has no certificate yet, and waits for its turn.
        public static let waiting = Self(rawValue: "waiting")
        /// A certificate is being ordered: the first one, or the next one.
        public static let ordering = Self(rawValue: "ordering")
        /// It has a certificate, and there is nothing to do.
        public static let valid = Self(rawValue: "valid")
        /// The last order failed. It may still have a certificate: see ``ACMEHostStatus/notAfter``.
        public static let failing = Self(rawValue: "failing")
    }

    /// The host.
    public var host: String
    /// Whether it was asked for by a client, and not set.
    public var isOnDemand: Bool
    /// What is going on.
    public var state: State
    /// When its certificate ends; nil when it has none.
    public var notAfter: Date?
    /// When the next order is made.
    public var nextOrder: Date
    /// How many orders have failed since the last that did not.
    public var failures: Int
    /// Why the last one did.
    public var lastError: ACMEError?
}

extension ACMEHostStatus {
    init(_ host: String, _ entry: HostTable.Host, _ job: HostTable.Job?) {
        self.host = host
        self.isOnDemand = entry.isOnDemand
        self.state = entry.failures > 0 ? .failing : entry.certificate == nil ? .waiting : .valid
        if case .order? = job { self.state = .ordering }
        self.notAfter = entry.certificate?.notAfter
        self.nextOrder = entry.orderAt
        self.failures = entry.failures
        self.lastError = entry.lastError
    }
}
