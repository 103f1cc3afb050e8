#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An IP address as its 4 or 16 bytes.
struct IPAddressBytes: Equatable {
    var bytes: [UInt8]

    /// - Parameter bytes: 4 or 16 of them.
    init(_ bytes: some Collection<UInt8>) { self.bytes = Array(bytes) }

    /// Parses the usual notation.
    init?(_ text: String) {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 {
                self.bytes = bytes
                return
            }
        }
        return nil
    }

    var isIPv6: Bool { self.bytes.count == 16 }

    /// The usual notation; an IPv4 address that is written as an IPv6 one in its own.
    var plainText: String {
        let mapped = self.isIPv6 && self.bytes[0..<10].allSatisfy { $0 == 0 } && self.bytes[10...11] == [255, 255]
        let bytes = mapped ? Array(self.bytes[12...]) : self.bytes
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(bytes.count == 16 ? AF_INET6 : AF_INET, bytes, &text, 64) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
