/// The name of an object: parts of lower-case letters, digits, `.` and `-`, each starting with a letter or digit, with `/`
/// between them, 128 bytes at most.
///
/// That is what object stores, registries (whose tags have no `/`, but an `_` that no key has) and file systems can all
/// express without escapes.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest key in bytes.
    public static let maximumBytes = 128

    /// The key.
    public let description: String

    /// Checks a key; `nil` if it is not one.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maximumBytes,
            text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy({ part in
                guard let first = part.first, Self.isAlphanumeric(first) else { return false }
                return part.allSatisfy {
                    Self.isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
                }
            })
        else { return nil }
        self.description = text
    }

    /// - Parameter text: What is known to be a key.
    init(known text: String) {
        precondition(text.utf8.count <= Self.maximumBytes)
        self.description = text
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// By bytes.
    public static func < (lhs: ObjectKey, rhs: ObjectKey) -> Bool {
        lhs.description.utf8.lexicographicallyPrecedes(rhs.description.utf8)
    }
}
