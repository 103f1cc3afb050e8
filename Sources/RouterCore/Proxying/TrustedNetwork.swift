#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A range of addresses, such as `10.0.0.0/8` or `::1`.
public struct TrustedNetwork: Sendable, Hashable {
    private let bytes: [UInt8]
    private let prefix: Int

    /// Parses an address with an optional prefix length.
    ///
    /// - Throws: ``RouterError`` when the text is neither.
    public init(_ text: String) throws(RouterError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Self.parse(String(parts[0])) else {
            throw RouterError(.invalidConfiguration, "'\(text)' is not an address or network like 10.0.0.0/8.")
        }
        var prefix = address.count * 8
        if parts.count == 2 {
            guard let length = Int(parts[1]), (0...prefix).contains(length) else {
                throw RouterError(
                    .invalidConfiguration, "The prefix length of '\(text)' is not between 0 and \(prefix).")
            }
            prefix = length
        }
        self.bytes = address
        self.prefix = prefix
    }

    /// Whether an address, as text, is in the network.
    func contains(_ address: String) -> Bool {
        guard let other = Self.parse(address), other.count == self.bytes.count else { return false }
        for bit in stride(from: 0, to: self.prefix, by: 8) {
            let index = bit / 8
            let kept = min(8, self.prefix - bit)
            let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - kept))
            if (self.bytes[index] ^ other[index]) & mask != 0 { return false }
        }
        return true
    }

    private static func parse(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
