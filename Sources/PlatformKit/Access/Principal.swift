/// What a token allows.
public enum Role: String, Codable, Sendable, Hashable, CaseIterable, Comparable {
    /// Look at everything but config values.
    case read
    /// Deploy, configure, scale, roll back.
    case deploy
    /// Create and destroy applications, manage access.
    case admin

    /// Whether the right role allows all that the left one does, and more.
    public static func < (lhs: Role, rhs: Role) -> Bool {
        let order = Self.allCases
        return order.firstIndex(of: lhs)! < order.firstIndex(of: rhs)!
    }
}

/// Somebody who was recognised.
public struct Principal: Sendable, Hashable {
    /// The name that releases and the audit log carry.
    public var name: String
    /// What they may do.
    public var role: Role

    /// Makes one from its parts.
    public init(name: String, role: Role) {
        self.name = name
        self.role = role
    }

    /// The platform itself: for what nobody asked for.
    public static let platform = Principal(name: "platform", role: .admin)
}
