/// Where a redirect leads, taken apart.
struct RedirectTarget: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case text([UInt8])
        case host, path, query
    }

    /// Whether the target names a host; if not, it is preceded by the one the client asked.
    let isAbsolute: Bool
    let parts: [Part]

    /// Parses a target.
    init(_ text: String) throws(RouterError) {
        func refuse(_ why: String) -> RouterError {
            RouterError(.invalidRoute, "'\(text)' is not a target of a redirect: \(why)")
        }
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }) else {
            throw refuse("it is longer than 2,048 bytes, or has a space, a backslash or what is not ASCII in it.")
        }
        guard let parts = Self.parts(text[...]) else {
            throw refuse("the only things in braces may be {host}, {path} and {query}.")
        }
        let schemes = ["https://", "http://"]
        if let scheme = schemes.first(where: { text.lowercased().hasPrefix($0) }) {
            let rest = text.utf8.dropFirst(scheme.utf8.count)
            // The host ends where a path or query starts; {path} is empty or starts with a slash.
            let authority = rest.prefix { $0 != 0x2F && $0 != 0x3F && $0 != 0x23 }
            guard Self.isAuthority(Substring(authority)) else {
                throw refuse("give a host like www.example.com, www.{host} or {host}:8443 after the slashes.")
            }
            self.isAbsolute = true
        } else {
            // Text right after a path that may be empty would become part of the host.
            guard text.utf8.first == 0x2F || text == "{path}" || text == "{path}{query}", !text.hasPrefix("//") else {
                throw refuse("give a path, {path}{query}, or an address that starts with https:// or http://.")
            }
            self.isAbsolute = false
        }
        self.parts = parts
    }

    private static func parts(_ text: Substring) -> [Part]? {
        var parts: [Part] = []
        var rest = text
        while !rest.isEmpty {
            if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else { return nil }
                switch rest[...end] {
                case "{host}": parts.append(.host)
                case "{path}": parts.append(.path)
                case "{query}": parts.append(.query)
                default: return nil
                }
                rest = rest[end...].dropFirst()
            } else {
                let literal = rest.prefix { $0 != "{" }
                guard !literal.contains("}") else { return nil }
                parts.append(.text(Array(literal.utf8)))
                rest = rest.dropFirst(literal.count)
            }
        }
        return parts
    }

    /// Whether this is a host with an optional port, followed at once by placeholders that cannot make it another one.
    private static func isAuthority(_ text: Substring) -> Bool {
        var text = text
        // What comes behind the host without a slash between is empty or brings its own slash or question mark.
        for suffix in ["{query}", "{path}"] where text.hasSuffix(suffix) { text = text.dropLast(suffix.count) }
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            let port = text[colon...].dropFirst()
            guard (1...5).contains(port.utf8.count), port.utf8.allSatisfy(ByteClass.isDigit) else { return false }
            text = text[..<colon]
        }
        if text == "{host}" { return true }
        // Labels before the request's own host stay in the hands of whoever has that host.
        if text.hasSuffix(".{host}") { text = text.dropLast(".{host}".count) }
        guard case .exact? = try? HostPattern(String(text)) else { return false }
        return true
    }

    /// Writes the address.
    ///
    /// - Parameters:
    ///   - origin: the scheme, host and port that the client asked, for a target that is a path.
    ///   - path: what `{path}` stands for.
    func write(
        _ request: some RequestView, origin: [UInt8], path: UnsafeRawBufferPointer, into out: inout [UInt8]
    ) {
        if !self.isAbsolute { out += origin }
        for part in self.parts {
            switch part {
            case .text(let text): out += text
            case .host: Self.escape(request.host, into: &out)
            case .path: Self.escape(path, into: &out)
            case .query:
                let target = request.target
                if let start = target.firstIndex(of: 0x3F) {
                    Self.escape(UnsafeRawBufferPointer(rebasing: target[start...]), into: &out)
                }
            }
        }
    }

    /// Appends what a client sent, without anything that could end the field or be read as something else. Requests
    /// with control characters are refused much earlier; this does not rely on it.
    static func escape(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
        for byte in bytes {
            switch byte {
            case 0...0x20, 0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B...0x7D, 0x7F...0xFF:
                out.append(0x25)
                for digit in [byte >> 4, byte & 0xF] { out.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            default: out.append(byte)
            }
        }
    }
}
