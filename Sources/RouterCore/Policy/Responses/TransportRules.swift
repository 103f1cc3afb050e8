/// Sends clients that come without TLS to the same address with it.
public struct HTTPSEnforcement: Sendable, Hashable {
    /// Whether the answer is 308, with which clients send a POST again as a POST. Otherwise it is 301.
    public var keepsMethod = true
    /// The port under which clients reach this router with TLS: 443.
    public var port: UInt16 = 443

    /// The defaults.
    public init() {}
}

/// For how long browsers are to come with TLS only (RFC 6797).
public struct StrictTransportSecurity: Sendable, Hashable {
    /// For how long from each response on: a year. Zero makes browsers forget it.
    public var maxAge: Duration = .seconds(31_536_000)
    /// Whether this goes for all names below the host as well.
    public var includesSubdomains = false
    /// Whether browsers may have the host in the list they are delivered with.
    public var preload = false

    /// The defaults.
    public init() {}

    var line: [UInt8] {
        Array(
            ("Strict-Transport-Security: max-age=\(max(0, self.maxAge.components.seconds))"
                + (self.includesSubdomains ? "; includeSubDomains" : "") + (self.preload ? "; preload" : "") + "\r\n")
                .utf8)
    }
}

/// The one name under which an application is to be known.
public struct CanonicalHost: Sendable, Hashable {
    /// The host, in lower case.
    public let name: String
    /// Whether the answer is 308, with which clients send a POST again as a POST. Otherwise it is 301.
    public var keepsMethod = true

    /// Names the host.
    ///
    /// - Throws: ``RouterError`` when it is not one host.
    public init(_ name: String) throws(RouterError) {
        guard case .exact(let host) = try HostPattern(name) else {
            throw RouterError(.invalidRoute, "'\(name)' is not one host, to which clients could be sent.")
        }
        self.name = host
    }
}
