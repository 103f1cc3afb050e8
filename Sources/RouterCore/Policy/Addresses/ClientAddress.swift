#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Who a request is from: an IPv6 address as a number, an IPv4 one as its IPv6 form (`::ffff:192.0.2.1`), so that
/// a client is the same whichever kind of socket it came through.
struct ClientAddress: Hashable, Sendable {
    var bits: UInt128

    /// A client without an address, such as one on a Unix socket.
    static let unknown = ClientAddress(bits: 0)

    private static let mappedPrefix: UInt128 = 0xFFFF_0000_0000

    init(bits: UInt128) { self.bits = bits }

    /// An IPv4 address, its first byte uppermost.
    init(ipv4: UInt32) { self.bits = Self.mappedPrefix | UInt128(ipv4) }

    /// Four bytes of an IPv4 or sixteen of an IPv6 address, in network order.
    init?(bytes: UnsafeRawBufferPointer) {
        switch bytes.count {
        case 4: self.init(ipv4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16: self.init(bits: bytes.reduce(0) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }

    /// Parses an address as it is written, without port; a zone (`fe80::1%eth0`) is left out.
    init?(_ text: String) {
        var bytes: (UInt64, UInt64) = (0, 0)
        let address = text.prefix { $0 != "%" }
        guard !address.utf8.contains(0) else { return nil }
        let count: Int =
            if inet_pton(AF_INET, String(address), &bytes) == 1 {
                4
            } else if inet_pton(AF_INET6, String(address), &bytes) == 1 {
                16
            } else {
                0
            }
        let parsed = withUnsafeBytes(of: &bytes) {
            ClientAddress(bytes: UnsafeRawBufferPointer(rebasing: $0[..<count]))
        }
        guard let parsed else { return nil }
        self = parsed
    }

    /// The usual notation.
    var text: String {
        var bytes = self.bits.bigEndian
        var text = [CChar](repeating: 0, count: 64)
        let isWritten = withUnsafeBytes(of: &bytes) { bytes in
            guard let start = bytes.baseAddress else { return false }
            return self.isIPv4
                ? inet_ntop(AF_INET, start + 12, &text, 64) != nil : inet_ntop(AF_INET6, start, &text, 64) != nil
        }
        return isWritten ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }

    var isIPv4: Bool { self.bits >> 32 == 0xFFFF }

    /// What a client cannot change at will: an IPv4 address, or the first 64 bits of an IPv6 one.
    var network: ClientAddress {
        self.isIPv4 ? self : ClientAddress(bits: self.bits & ~UInt128(UInt64.max))
    }

    /// What one owner may have as a whole: an IPv4 address, or the first 48 bits of an IPv6 one, in which there are 65,536
    /// networks.
    var site: ClientAddress {
        self.isIPv4 ? self : ClientAddress(bits: (self.bits >> 80) << 80)
    }
}
