/// A range of addresses, such as `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.1`.
///
/// An IPv4 address is in ranges that are written as IPv4, and the other way round; `::/0` is every IPv6 address only.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// The range as it was given.
    public let description: String
    let lower: ClientAddress
    let prefix: Int

    /// Parses an address with an optional prefix length. Bits behind the prefix are ignored.
    ///
    /// - Throws: ``RouterError`` when the text is neither.
    public init(_ text: String) throws(RouterError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard !text.contains("%"), let address = ClientAddress(String(parts[0])) else {
            throw RouterError(.invalidConfiguration, "'\(text)' is not an address or range like 10.0.0.0/8.")
        }
        let isWrittenIPv4 = address.isIPv4 && !parts[0].contains(":")
        var prefix = isWrittenIPv4 ? 32 : 128
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy(ByteClass.isDigit), let length = Int(parts[1]),
                length <= prefix
            else {
                throw RouterError(
                    .invalidConfiguration, "The prefix length of '\(text)' is not between 0 and \(prefix).")
            }
            prefix = length
        }
        self.description = text
        self.prefix = isWrittenIPv4 ? prefix + 96 : prefix
        self.lower = ClientAddress(bits: address.bits & ~Self.hostMask(self.prefix))
    }

    private static func hostMask(_ prefix: Int) -> UInt128 { prefix == 0 ? .max : (1 << UInt128(128 - prefix)) &- 1 }

    var upper: ClientAddress { ClientAddress(bits: self.lower.bits | Self.hostMask(self.prefix)) }

    /// Whether an address is in the range.
    func contains(_ address: ClientAddress) -> Bool {
        (self.lower.bits...self.upper.bits).contains(address.bits) && (self.prefix >= 96 || !address.isIPv4)
    }
}

/// Many ranges, in which an address is found by halving: ten thousand cost what fourteen do one by one.
struct AddressSet: Sendable {
    /// Ascending, and neither touching nor overlapping.
    private var intervals: [ClosedRange<UInt128>] = []

    init(_ ranges: [AddressRange]) {
        var parts: [ClosedRange<UInt128>] = []
        let mapped = ClientAddress(ipv4: 0).bits...ClientAddress(ipv4: .max).bits
        for range in ranges {
            let whole = range.lower.bits...range.upper.bits
            if range.prefix < 96, whole.contains(mapped.lowerBound) {
                // Around what stands for IPv4; the range starts before it, or it would have a longer prefix.
                parts.append(whole.lowerBound...(mapped.lowerBound - 1))
                parts.append((mapped.upperBound + 1)...whole.upperBound)
            } else {
                parts.append(whole)
            }
        }
        for part in parts.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.intervals.last, last.upperBound == .max || last.upperBound + 1 >= part.lowerBound {
                let upper = max(last.upperBound, part.upperBound)
                self.intervals[self.intervals.count - 1] = last.lowerBound...upper
            } else {
                self.intervals.append(part)
            }
        }
    }

    var isEmpty: Bool { self.intervals.isEmpty }

    func contains(_ address: ClientAddress) -> Bool {
        var low = 0
        var high = self.intervals.count
        while low < high {
            let middle = (low + high) / 2
            if self.intervals[middle].upperBound < address.bits { low = middle + 1 } else { high = middle }
        }
        return low < self.intervals.count && self.intervals[low].lowerBound <= address.bits
    }
}
