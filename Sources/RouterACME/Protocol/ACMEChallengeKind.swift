/// A way of proving to an authority that a host is ours.
public struct ACMEChallengeKind: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The name the protocol has for it.
    public let description: String
    init(_ name: String) { self.description = name }

    /// Answering a request for a certain path over plain HTTP, on port 80.
    public static let http01 = Self("http-01")
    /// Answering a handshake over TLS with a certain certificate, on port 443 (RFC 8737).
    public static let tlsALPN01 = Self("tls-alpn-01")

    /// Reads the name as a plain string.
    public init(from decoder: any Decoder) throws {
        self.description = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
