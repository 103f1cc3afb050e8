/// How a drain ended.
public struct DrainReport: Sendable, Hashable {
    /// How many requests, upgraded connections and event streams had not ended within the grace. They were broken off,
    /// unless the drain was cancelled.
    public var remaining: Int
    /// How many upgraded connections and event streams were ended in the second half of the grace, as they are to be.
    public var endedStreams: Int

    /// Whether nothing remained: every request came to its own end.
    public var completed: Bool { self.remaining == 0 }

    /// Makes a report.
    ///
    /// - Parameters:
    ///   - remaining: what had not ended within the grace.
    ///   - endedStreams: the streams that were ended before.
    public init(remaining: Int, endedStreams: Int = 0) {
        self.remaining = remaining
        self.endedStreams = endedStreams
    }
}
