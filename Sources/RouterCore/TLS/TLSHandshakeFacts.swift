/// What a handshake brought to light, told once to the handlers behind it, before the first byte.
struct TLSHandshakeFacts: Hashable, Sendable {
    enum ApplicationProtocol: Sendable { case http1, http2 }

    /// The host that the client named, in lower case. Requests on the connection may name others: rules about clients'
    /// certificates are the router's, not a host's.
    var serverName: String?
    /// What is spoken from here on.
    var applicationProtocol: ApplicationProtocol
    var version: TLSSettings.Version
    /// Whom the client's certificate is about (`CN=alice,O=Example`), when it showed one. It has been checked.
    var clientSubject: String?
}
