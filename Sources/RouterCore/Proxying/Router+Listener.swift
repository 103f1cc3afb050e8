extension Router {
    /// An address that a router listens on.
    public struct Listener: Sendable {
        /// What is spoken there.
        public enum Security: Sendable, Hashable {
            /// HTTP in clear text.
            case none
            /// HTTPS, with the certificates that the router was given.
            case tls
        }

        /// The IP address, or a name that stands for one.
        public var host: String
        /// The port; 0 for any free one, which ``Router/listening()`` then tells.
        public var port: Int
        /// Whether it speaks TLS.
        public var security: Security
        /// Proxies in front that begin each connection by saying whose it is (PROXY protocol, version 1 or 2): none.
        /// From these addresses a connection without that is refused; from others it is not understood.
        public var proxyProtocolFrom: [AddressRange] = []

        /// Describes an address to listen on.
        public init(host: String, port: Int, security: Security = .none) {
            self.host = host
            self.port = port
            self.security = security
        }
    }
}
