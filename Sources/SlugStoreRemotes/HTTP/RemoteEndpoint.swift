/// The scheme, host and port of a server: `https://s3.eu-west-1.amazonaws.com`, `http://127.0.0.1:5000`.
public struct RemoteEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// Whether it is spoken to over TLS.
    public let isSecure: Bool
    /// A name or address; an IPv6 address in brackets.
    public let host: String
    /// The port; `nil` for the scheme's own.
    public let port: Int?

    /// Makes an endpoint.
    public init(isSecure: Bool = true, host: String, port: Int? = nil) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// Parses a URL that has nothing but these (a `/` may end it); `nil` for anything else.
    public init?(_ url: String) {
        let isSecure = url.lowercased().hasPrefix("https://")
        guard isSecure || url.lowercased().hasPrefix("http://") else { return nil }
        var rest = url.dropFirst(isSecure ? 8 : 7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        self.init(authority: rest, isSecure: isSecure)
    }

    /// Parses `host` or `host:port`.
    init?(authority: some StringProtocol, isSecure: Bool) {
        let text = String(authority)
        guard
            text.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                    || [0x2d, 0x2e, 0x3a, 0x5b, 0x5d, 0x5f].contains(byte)  // - . : [ ] _
            })
        else { return nil }
        var host = text
        var port: Int?
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number) else { return nil }
            port = number
            host = String(text[..<colon])
        }
        guard !host.isEmpty, host.hasPrefix("[") == host.hasSuffix("]"), host.hasPrefix("[") || !host.contains(":")
        else {
            return nil
        }
        self.init(isSecure: isSecure, host: host.lowercased(), port: port)
    }

    /// Whether it is this machine: then clear text does not leave it.
    public var isLoopback: Bool {
        self.host == "localhost" || self.host == "[::1]"
            || (self.host.hasPrefix("127.") && self.host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e })
    }

    /// `host`, or `host:port` if the port is not the scheme's own.
    public var authority: String {
        guard let port, port != (self.isSecure ? 443 : 80) else { return self.host }
        return "\(self.host):\(port)"
    }

    /// The URL without a `/` at its end.
    public var description: String { "\(self.isSecure ? "https" : "http")://\(self.authority)" }
}
