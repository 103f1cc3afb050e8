/// What every request of one client connection is told about where it came from.
///
/// An object, because a machine hands it around with every request: one reference to count instead of one per field.
final class ConnectionFacts: Sendable {
    /// The client's address, and as text.
    let client: ClientAddress
    let clientAddress: String
    /// Whether that address is a trusted proxy, whose own statements about the client are kept.
    let isTrusted: Bool
    let scheme: String
    /// Whether the client speaks TLS to this router.
    let isSecure: Bool
    /// The port the client connected to.
    let port: Int
    /// The name in the `Via` field.
    let pseudonym: String

    /// The fields that are the same for every request whose sender is not trusted.
    let untrustedFields: [UInt8]
    let viaField: [UInt8]
    /// The same for requests in HTTP/1.0.
    let oldViaField: [UInt8]

    init(client: ClientAddress, isTrusted: Bool, scheme: String, port: Int, pseudonym: String, version: String = "1.1")
    {
        let clientAddress = client == .unknown ? "unknown" : client.text
        self.client = client
        self.clientAddress = clientAddress
        self.isTrusted = isTrusted
        self.scheme = scheme
        self.isSecure = scheme == "https"
        self.port = port
        self.pseudonym = pseudonym
        self.viaField = Array("Via: \(version) \(pseudonym)\r\n".utf8)
        self.oldViaField = Array("Via: 1.0 \(pseudonym)\r\n".utf8)
        self.untrustedFields = Array(
            "X-Forwarded-For: \(clientAddress)\r\nX-Forwarded-Proto: \(scheme)\r\nX-Forwarded-Port: \(port)\r\n".utf8)
    }

    /// The same of a connection that speaks another version of HTTP.
    func speaking(_ version: String) -> ConnectionFacts {
        ConnectionFacts(
            client: self.client, isTrusted: self.isTrusted, scheme: self.scheme, port: self.port,
            pseudonym: self.pseudonym, version: version)
    }
}
