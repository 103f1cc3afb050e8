#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// An immutable version of an application: a slug, the config of that moment, and the process types.
public struct ReleaseInfo: Codable, Sendable, Hashable {
    /// The number in `v12`.
    public var version: Int
    /// The identifier of its slug.
    public var slug: String
    /// What made it, in words: `Deploy 1a2b3c4d`, `Set config DATABASE_URL`, `Rollback to v3`.
    public var description: String
    /// Who made it.
    public var author: String
    /// The commit, if its slug was built from one.
    public var commit: String?
    /// Process types and their commands.
    public var processTypes: [String: String]
    /// The names of its config variables.
    public var configKeys: [String]
    /// When it was made.
    public var createdAt: Date
    /// Whether it is the one that is routed to.
    public var isLive: Bool
    /// Whether it was pinned: its slug is kept however old it grows.
    public var isPinned: Bool

    /// Makes one from its parts.
    public init(
        version: Int, slug: String, description: String, author: String, commit: String?,
        processTypes: [String: String], configKeys: [String], createdAt: Date, isLive: Bool,
        isPinned: Bool = false
    ) {
        self.version = version
        self.slug = slug
        self.description = description
        self.author = author
        self.commit = commit
        self.processTypes = processTypes
        self.configKeys = configKeys
        self.createdAt = createdAt
        self.isLive = isLive
        self.isPinned = isPinned
    }
}

/// The body of a request to roll back.
public struct RollbackRequest: Codable, Sendable, Hashable {
    /// The release to go back to; without it, the one before the live one.
    public var version: Int?

    /// Makes one from the version.
    public init(version: Int?) { self.version = version }
}

/// Changes of config variables: a value sets, `null` removes.
public struct ConfigChange: Codable, Sendable, Hashable {
    /// The changes by variable name.
    public var variables: [String: String?]

    /// Makes one from the changes.
    public init(variables: [String: String?]) { self.variables = variables }
}
