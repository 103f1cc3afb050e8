import RouterCore

/// Checks hosts that a certificate is to be ordered for.
enum HostName {
    /// The host in lower case.
    ///
    /// - Throws: ``ACMEError`` when it is none that an authority can check by connecting to it.
    static func check(_ host: String) throws(ACMEError) -> String {
        let name = host.lowercased()
        guard !name.contains("*") else {
            throw ACMEError(
                .invalidHost,
                "'\(name.prefix(300))' is a wildcard, which can be proved neither by HTTP-01 nor by TLS-ALPN-01. Name the "
                    + "hosts, or get the certificate by other means and set it.")
        }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                }
        }
        // The last label of a name has a letter in it; that of an IPv4 address has none.
        let isAddress = labels.last?.utf8.allSatisfy { $0 < UInt8(ascii: "a") } ?? true
        guard isName, !isAddress, labels.count >= 2, name.utf8.count <= 253 else {
            throw ACMEError(
                .invalidHost,
                "'\(name.prefix(300))' is not a host that an authority issues for: a name with at least one dot, of "
                    + "letters, digits and hyphens, international ones in Punycode.")
        }
        return name
    }
}
