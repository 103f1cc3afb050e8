/// What a connection is told about the address it came in by.
struct ListenerFacts: Sendable {
    /// The port, as the kernel has it.
    var port: Int
    var isSecure: Bool
    private let proxies: [AddressRange]

    init(_ listener: Router.Listener, port: Int) {
        self.port = port
        self.isSecure = listener.security == .tls
        self.proxies = listener.proxyProtocolFrom
    }

    /// Whether a connection from this address must begin with a PROXY header.
    func expectsProxyHeader(from address: ClientAddress) -> Bool {
        !self.proxies.isEmpty && self.proxies.contains { $0.contains(address) }
    }
}
