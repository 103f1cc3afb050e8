/// A host as a route names it, checked.
enum HostPattern: Hashable, Sendable {
    /// One name.
    case exact(String)
    /// Every name below this one; below the empty name is every name.
    case below(String)

    /// Parses and checks a route's host.
    init(_ text: String) throws(RouterError) {
        // The text itself when it can be kept: tables of many hosts then share it with their routes.
        let lower = text.utf8.contains { $0 &- 0x41 < 26 } ? text.lowercased() : text
        if lower == "*" {
            self = .below("")
            return
        }
        let isWildcard = lower.hasPrefix("*.")
        var name = isWildcard ? String(lower.dropFirst(2)) : lower
        if name.hasSuffix(".") { name.removeLast() }
        let isAddress = name.hasPrefix("[") && name.hasSuffix("]")
        let body = isAddress ? name.dropFirst().dropLast() : name[...]
        let isClean = body.utf8.allSatisfy { byte in
            ByteClass.isAlphanumeric(byte) || byte == 0x2D || byte == 0x2E || byte == 0x5F
                || (isAddress && byte == 0x3A)
        }
        guard !body.isEmpty, isClean, name.utf8.count <= 253, !name.hasPrefix("."), !(isAddress && isWildcard) else {
            throw RouterError(
                .invalidRoute,
                "'\(text)' is not a host. Give a name like www.example.com, *.example.com for all names below "
                    + "one, or * for every other one, without a port; write international names in Punycode.")
        }
        self = isWildcard ? .below(name) : .exact(name)
    }
}
