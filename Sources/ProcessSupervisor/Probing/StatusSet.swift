/// The HTTP statuses that a probe takes for a good answer.
public struct StatusSet: Codable, Sendable, Hashable, ExpressibleByArrayLiteral {
    /// The ranges that it is made of.
    public var ranges: [Range<Int>]

    /// Makes a set of ranges, such as `StatusSet(200..<300, 404..<405)`.
    public init(_ ranges: Range<Int>...) { self.ranges = ranges }

    /// Makes a set of single statuses, such as `[200, 204]`.
    public init(arrayLiteral statuses: Int...) { self.ranges = statuses.map { $0..<$0 + 1 } }

    /// 200 to 399.
    public static let successOrRedirect = StatusSet(200..<400)

    /// Whether the status is in it.
    public func contains(_ status: Int) -> Bool { self.ranges.contains { $0.contains(status) } }

    /// Reads what ``encode(to:)`` writes, or a single range.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let range = try? container.decode(Range<Int>.self) {
            self.ranges = [range]
        } else {
            self.ranges = try container.decode([Range<Int>].self)
        }
    }

    /// Writes a list of ranges.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.ranges)
    }
}
