#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Orders certificates for hosts, puts them where handshakes find them, and renews them in time.
///
/// ## Promises a conformer keeps
/// - `setHosts` returns soon: what is ordered comes later, host by host, and one that fails keeps no other waiting.
/// - A host that is left out is not ordered any more, and its certificate is taken out of use, unless somebody else has set
///   another one for it.
///
/// Run `CertificateIssuerConformance` from `PlatformKitTesting` against yours.
public protocol CertificateIssuer: Sendable {
    /// Makes these the hosts that have a certificate.
    ///
    /// - Throws: when one of them is none that it could have a certificate for; nothing has changed then.
    func setHosts(_ hosts: Set<String>) throws
    /// Returns when the certificates that it has kept for these hosts are in use, or the task is cancelled.
    func waitUntilLoaded() async
    /// How things stand with each host.
    var orders: [CertificateOrder] { get }
    /// Orders that have ended, well or badly, from the first call on. For one reader.
    var endedOrders: AsyncStream<CertificateOrder> { get }
}

/// How things stand with a host that an issuer has a certificate for, or orders one.
public struct CertificateOrder: Sendable, Hashable {
    /// What is going on. There may come to be more than these: an issuer may have words of its own.
    public struct State: RawRepresentable, Sendable, Hashable {
        /// The word that people read.
        public let rawValue: String

        /// The state with this word.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// There is none yet; it waits for its turn.
        public static let waiting = Self(rawValue: "waiting")
        /// One is being ordered: the first one, or the next one.
        public static let ordering = Self(rawValue: "ordering")
        /// There is one.
        public static let valid = Self(rawValue: "valid")
        /// The last order failed; there may be an older one.
        public static let failing = Self(rawValue: "failing")
    }

    /// The host.
    public var host: String
    /// What is going on.
    public var state: State
    /// When the next order is made.
    public var nextOrder: Date
    /// Why the last order failed.
    public var lastError: String?

    /// Makes one from its parts.
    public init(host: String, state: State, nextOrder: Date, lastError: String?) {
        self.host = host
        self.state = state
        self.nextOrder = nextOrder
        self.lastError = lastError
    }
}
