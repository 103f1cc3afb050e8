#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A certificate that hosts are served with over HTTPS, or that is being ordered for one.
public struct CertificateInfo: Codable, Sendable, Hashable {
    /// Where it comes from: `added` (somebody added it with its key) or `acme` (the platform orders and renews it).
    public var source: String
    /// The application that it belongs to; `nil` when it is the platform's own.
    public var application: String?
    /// The hosts that it is for: what an added one names, the one that an ordered one is for.
    public var hosts: [String]
    /// Thereof those for which clients get it now. The others have a newer one, or lead to no application of its owner.
    public var servedHosts: [String]
    /// `valid`, `expiring` (in less than two weeks), `expired`, `unusable`; of ordered ones also `waiting`, `ordering` and
    /// `failing`.
    public var state: String
    /// Whom it is about, such as `CN=shop.example.com`; `nil` when there is none yet.
    public var subject: String?
    /// Who issued it; `nil` when there is none yet.
    public var issuer: String?
    /// From when on it is valid.
    public var notBefore: Date?
    /// Until when it is valid.
    public var notAfter: Date?
    /// Whole days until then; negative when it has ended.
    public var daysLeft: Int?
    /// Why it cannot be used, or why the last order failed.
    public var lastError: String?
    /// When the next order is made, for one that is ordered.
    public var nextOrder: Date?

    /// Makes one from its parts.
    public init(
        source: String, application: String?, hosts: [String], servedHosts: [String], state: String,
        subject: String? = nil, issuer: String? = nil, notBefore: Date? = nil, notAfter: Date? = nil,
        daysLeft: Int? = nil, lastError: String? = nil, nextOrder: Date? = nil
    ) {
        self.source = source
        self.application = application
        self.hosts = hosts
        self.servedHosts = servedHosts
        self.state = state
        self.subject = subject
        self.issuer = issuer
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.daysLeft = daysLeft
        self.lastError = lastError
        self.nextOrder = nextOrder
    }
}

/// The body of a request that adds a certificate. Holds a private key: do not print or keep it.
public struct CertificateUpload: Codable, Sendable, Hashable {
    /// The certificate and then the intermediate ones, as PEM text.
    public var certificate: String
    /// The private key, as PEM text, not encrypted.
    public var key: String

    /// Makes one from its parts.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// How an application is reached over HTTPS.
public struct HTTPSInfo: Codable, Sendable, Hashable {
    /// Whether the platform serves HTTPS at all.
    public var isServed: Bool
    /// Whether visitors who come without TLS are sent to `https`.
    public var enforced: Bool
    /// For how many seconds browsers are to come with TLS only (`Strict-Transport-Security`); `nil` for not at all.
    public var hstsSeconds: Int?
    /// Whether certificates for its hosts are ordered and renewed by themselves.
    public var automaticCertificates: Bool
    /// The hosts that have a certificate now.
    public var securedHosts: [String]
    /// The hosts that have none.
    public var unsecuredHosts: [String]

    /// Makes one from its parts.
    public init(
        isServed: Bool, enforced: Bool, hstsSeconds: Int?, automaticCertificates: Bool,
        securedHosts: [String], unsecuredHosts: [String]
    ) {
        self.isServed = isServed
        self.enforced = enforced
        self.hstsSeconds = hstsSeconds
        self.automaticCertificates = automaticCertificates
        self.securedHosts = securedHosts
        self.unsecuredHosts = unsecuredHosts
    }
}

/// The body of a request that changes how an application is reached over HTTPS. What is missing stays as it is.
public struct HTTPSChange: Codable, Sendable, Hashable {
    /// Whether visitors who come without TLS are sent to `https`.
    public var enforced: Bool?
    /// For how many seconds browsers are to come with TLS only; 0 makes them forget it.
    public var hstsSeconds: Int?
    /// Whether certificates are ordered and renewed by themselves.
    public var automaticCertificates: Bool?

    /// Makes one from its parts.
    public init(enforced: Bool? = nil, hstsSeconds: Int? = nil, automaticCertificates: Bool? = nil) {
        self.enforced = enforced
        self.hstsSeconds = hstsSeconds
        self.automaticCertificates = automaticCertificates
    }
}
