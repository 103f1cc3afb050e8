/// What a repair brought back, and what it could not.
public struct RepairReport: Sendable, Hashable {
    /// Slugs that are whole again, in order.
    public var repaired: [SlugID] = []
    /// Slugs that are not, and why. They are as damaged as before.
    public var lost: [SlugID: String] = [:]
    /// Bytes on disk that the repair took.
    public var bytes: Int64 = 0

    /// Nothing was damaged.
    public init() {}
}
