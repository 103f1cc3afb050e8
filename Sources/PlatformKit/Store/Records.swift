#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// An application as it is kept: what somebody wants, never what is observed.
public struct ApplicationRecord: Sendable, Hashable, Codable {
    /// Stays the same for life, also when the application is renamed.
    public var id: String
    /// Unique on a platform.
    public var name: String
    /// When it was created.
    public var createdAt: Date
    /// Whether the router answers with the maintenance page.
    public var maintenance = false
    /// The release that is routed to.
    public var liveRelease: Int?
    /// The highest release number given out.
    public var lastRelease = 0
    /// The highest deployment number given out.
    public var lastDeployment = 0
    /// The highest one-off number given out.
    public var lastOneOff = 0
    /// How many instances of each process type are wanted.
    public var formation: [String: Int] = [:]
    /// The sizes of the process types for which one was chosen, by name.
    public var sizes: [String: String] = [:]
    /// The present config, sealed.
    public var sealedConfig = Data()
    /// Whether certificates for its hosts are ordered and renewed by themselves.
    public var automaticCertificates = false
    /// Whether visitors who come without TLS are sent to `https`.
    public var enforcesHTTPS = false
    /// For how long browsers are to come with TLS only, in seconds; `nil` for not at all.
    public var hstsSeconds: Int?
    /// The number of the user that its processes are, which no other application has; `nil` before it was given one.
    public var user: UInt32?

    /// Makes a new application without anything in it.
    public init(id: String, name: String, createdAt: Date) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }
}

/// An immutable release.
public struct ReleaseRecord: Sendable, Hashable, Codable {
    /// The application that it belongs to.
    public var applicationID: String
    /// The number in `v12`.
    public var version: Int
    /// The identifier of its slug.
    public var slug: String
    /// The commit that the slug was built from.
    public var commit: String?
    /// Who made it.
    public var author: String
    /// What made it, in words.
    public var description: String
    /// When it was made.
    public var createdAt: Date
    /// Process types and their commands, without `release`.
    public var processTypes: [String: String]
    /// The command of the release phase.
    public var releaseCommand: String?
    /// What was said about the lives of instances, by process type.
    public var life: [String: LifeRecord]
    /// The config of that moment, sealed.
    public var sealedConfig: Data
}

/// A row of the journal.
public struct DeploymentRecord: Sendable, Hashable, Codable {
    /// The application that it belongs to.
    public var applicationID: String
    /// Counts from 1 for each application.
    public var number: Int
    /// Where it stands, as `DeploymentState` spells it.
    public var state: String
    /// What it deploys, in words.
    public var description: String
    /// Who asked for it.
    public var author: String
    /// The commit, for a push.
    public var commit: String?
    /// The release that it made.
    public var release: Int?
    /// Why it failed.
    public var cause: String?
    /// When it was asked for.
    public var createdAt: Date
    /// When it reached its final state.
    public var finishedAt: Date?
}

/// A host that leads to an application.
public struct DomainRecord: Sendable, Hashable, Codable {
    /// The host, in lower case.
    public var host: String
    /// The application that it leads to.
    public var applicationID: String
}

/// A certificate that somebody added, with its key.
public struct CertificateRecord: Sendable, Hashable, Codable {
    /// Unique among all certificates that there ever were.
    public var id: String
    /// The application for whose hosts it is; `nil` when it is the platform's own.
    public var applicationID: String?
    /// The hosts that it names, in lower case.
    public var hosts: [String]
    /// The certificate and the intermediate ones, as PEM text.
    public var chain: String
    /// The private key, sealed.
    public var sealedKey: Data
    /// When it was added.
    public var createdAt: Date
    /// Who added it.
    public var author: String

    /// What the sealed key is bound to, so that a row which was copied to another certificate does not open.
    var sealingContext: String { "certificate/\(self.id)" }
}

/// Who may do what: a token is kept as its digest alone.
public struct TokenRecord: Sendable, Hashable, Codable {
    /// SHA-256 of the token, in hexadecimal.
    public var digest: String
    /// Whose it is.
    public var name: String
    /// admin, deploy or read.
    public var role: String
    /// When it was made.
    public var createdAt: Date
}

/// Something that somebody changed.
public struct AuditRecord: Sendable, Hashable, Codable {
    /// When.
    public var at: Date
    /// Who.
    public var actor: String
    /// What, as a word.
    public var action: String
    /// The application, if it was about one.
    public var application: String?
    /// More about it; never a secret.
    public var detail: String
}
