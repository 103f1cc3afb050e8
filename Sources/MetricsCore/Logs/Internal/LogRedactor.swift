/// Replaces an application's secrets in what its log keeps.
///
/// A four-byte window moves over the text; a bit set says for nearly every position, in a nanosecond, that no secret
/// begins there. The longest secret at a position wins.
struct LogRedactor: Sendable {
    static let replacement = "[redacted]"
    /// Shorter values (`true`, `5432`) are in every other line and protect nothing.
    static let shortestSecret = 6

    private var bits = [UInt64](repeating: 0, count: 64)
    private var secrets: [UInt32: [[UInt8]]] = [:]

    /// Makes a redactor, or `nil` when no secret is long enough.
    ///
    /// Each line of a secret of several lines (a private key) counts as a secret, because it arrives line by line.
    init?(secrets: Set<String>) {
        var patterns: Set<[UInt8]> = []
        for secret in secrets {
            patterns.insert(Array(secret.utf8))
            for line in secret.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
                patterns.insert(Self.trimmed(Array(line)))
            }
        }
        for pattern in patterns where pattern.count >= Self.shortestSecret {
            let window = pattern.prefix(4).reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
            self.secrets[window, default: []].append(pattern)
            let bit = Self.bit(window)
            self.bits[bit >> 6] |= 1 << UInt64(bit & 63)
        }
        if self.secrets.isEmpty { return nil }
        for window in self.secrets.keys { self.secrets[window]?.sort { $0.count > $1.count } }
    }

    /// `text` without the secrets.
    func redact(_ text: String) -> String {
        var text = text
        let result: [UInt8]? = text.withUTF8 { bytes in self.redact(bytes) }
        guard let result else { return text }
        return String(decoding: result, as: UTF8.self)
    }

    private func redact(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard bytes.count >= Self.shortestSecret else { return nil }
        var result: [UInt8]?
        var copied = 0
        var position = 0
        var window = UInt32(bytes[0]) << 16 | UInt32(bytes[1]) << 8 | UInt32(bytes[2])
        while position + 4 <= bytes.count {
            window = window << 8 | UInt32(bytes[position + 3])
            let bit = Self.bit(window)
            if self.bits[bit >> 6] & (1 << UInt64(bit & 63)) != 0, let length = self.match(bytes, position, window) {
                var output = result ?? []
                output.append(contentsOf: bytes[copied..<position])
                output.append(contentsOf: Self.replacement.utf8)
                result = output
                position += length
                copied = position
                guard position + 4 <= bytes.count else { break }
                window =
                    UInt32(bytes[position]) << 16 | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2])
            } else {
                position += 1
            }
        }
        result?.append(contentsOf: bytes[copied...])
        return result
    }

    private func match(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ window: UInt32) -> Int? {
        for secret in self.secrets[window] ?? [] where position + secret.count <= bytes.count {
            if bytes[position..<position + secret.count].elementsEqual(secret) { return secret.count }
        }
        return nil
    }

    @inline(__always)
    private static func bit(_ window: UInt32) -> Int {
        Int(truncatingIfNeeded: (window &* 0x9E37_79B1) >> 20)
    }

    private static func trimmed(_ line: [UInt8]) -> [UInt8] {
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return Array(line.drop(while: blank).reversed().drop(while: blank).reversed())
    }
}
