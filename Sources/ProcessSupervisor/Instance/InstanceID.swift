/// The name of an instance, chosen by whoever starts it, such as `guestbook/web.1@v3-a1b2`.
///
/// A supervisor has one instance of a name at a time. Any characters are allowed; at most 80 bytes.
public struct InstanceID: Hashable, Codable, Sendable, CustomStringConvertible {
    /// The name itself.
    public var rawValue: String

    /// Makes an identifier of any non-empty text.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// Reads the plain string that ``encode(to:)`` writes.
    public init(from decoder: any Decoder) throws {
        self.rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }

    /// The name itself.
    public var description: String { self.rawValue }
}

extension InstanceID {
    /// A file name that no other identifier has and that no path can hide in.
    var fileName: String {
        var name = ""
        for (index, byte) in self.rawValue.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"):
                name.append(Character(UnicodeScalar(byte)))
            case UInt8(ascii: ".") where index > 0:
                name.append(".")
            default:
                let digits = String(byte, radix: 16)
                name += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return name
    }

    /// File names end at 255 bytes, and a byte may take three of them there.
    static let maximumLength = 80
}

extension InstanceID: ExpressibleByStringLiteral {
    /// Makes an identifier of a literal.
    public init(stringLiteral value: String) { self.init(value) }
}
