/// How a drain ended.
public struct DrainReport: Sendable, Hashable {
    /// Whether everything in flight ended by itself within the grace.
    public var completed: Bool
    /// How many requests, upgraded connections and event streams had not, and were ended.
    public var remaining: Int

    /// Makes a report.
    public init(completed: Bool, remaining: Int) {
        self.completed = completed
        self.remaining = remaining
    }
}
