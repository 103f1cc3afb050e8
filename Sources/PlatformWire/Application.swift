#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// An application as the API shows it.
public struct ApplicationInfo: Codable, Sendable, Hashable {
    /// The name: lower-case letters, digits and hyphens; unique on a platform; the first label of its host.
    public var name: String
    /// When it was created.
    public var createdAt: Date
    /// The number of the release that is live, if there is one.
    public var release: Int?
    /// Whether the router answers with the maintenance page.
    public var maintenance: Bool
    /// Where visitors reach it.
    public var url: String
    /// Where pushes go.
    public var gitURL: String
    /// The hosts that lead to it, the platform's own first.
    public var domains: [String]
    /// How many instances of each process type are wanted.
    public var formation: [String: Int]

    /// Makes one from its parts.
    public init(
        name: String, createdAt: Date, release: Int?, maintenance: Bool, url: String, gitURL: String,
        domains: [String], formation: [String: Int]
    ) {
        self.name = name
        self.createdAt = createdAt
        self.release = release
        self.maintenance = maintenance
        self.url = url
        self.gitURL = gitURL
        self.domains = domains
        self.formation = formation
    }
}

/// The body of a request that creates or renames an application.
public struct ApplicationName: Codable, Sendable, Hashable {
    /// The name wanted.
    public var name: String

    /// Makes one from the name.
    public init(name: String) { self.name = name }
}

/// The body of a request that switches the maintenance page on or off.
public struct MaintenanceChange: Codable, Sendable, Hashable {
    /// Whether the maintenance page is wanted.
    public var enabled: Bool

    /// Makes one from the wish.
    public init(enabled: Bool) { self.enabled = enabled }
}

/// The body of a request that adds a host to an application.
public struct DomainChange: Codable, Sendable, Hashable {
    /// The host, such as `www.example.com`.
    public var host: String

    /// Makes one from the host.
    public init(host: String) { self.host = host }
}
