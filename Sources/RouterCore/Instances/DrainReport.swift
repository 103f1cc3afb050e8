/// How a drain ended.
public struct DrainReport: Sendable, Hashable {
    /// Whether everything in flight ended by itself within the grace.
    public var completed: Bool
    /// How many requests and upgraded connections had not, and were closed.
    public var remaining: Int

    /// Makes a report.
    public init(completed: Bool, remaining: Int) {
        self.completed = completed
        self.remaining = remaining
    }
}
