/// The identity of a slug: the SHA-256 of its canonical manifest, so the same tree with the same metadata has the same
/// identifier in every repository on every machine.
public struct SlugID: Hashable, Codable, Sendable, CustomStringConvertible, Comparable {
    private static let prefix = "sha256:"

    /// The digest in lower-case hexadecimal, without the algorithm.
    let hex: String

    /// Parses `sha256:` and 64 lower-case hexadecimal digits; anything else is `nil`.
    public init?(_ string: String) {
        guard string.hasPrefix(Self.prefix) else { return nil }
        self.init(hex: String(string.dropFirst(Self.prefix.count)))
    }

    init?(hex: String) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else {
            return nil
        }
        self.hex = hex
    }

    init(_ digest: ChunkID) { self.hex = digest.description }

    /// `sha256:` and the 64 hexadecimal digits.
    public var description: String { Self.prefix + self.hex }

    /// The first 12 hexadecimal digits, for people.
    public var shortDescription: String { String(self.hex.prefix(12)) }

    /// Orders by digest, which has no meaning but is stable.
    public static func < (lhs: SlugID, rhs: SlugID) -> Bool { lhs.hex < rhs.hex }

    /// Decodes the textual form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = SlugID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is not a slug identifier")
        }
        self = id
    }

    /// Encodes the textual form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
