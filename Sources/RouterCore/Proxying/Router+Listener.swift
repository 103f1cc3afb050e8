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
        /// A listening TCP socket that the process was given, by its number; nil to listen at ``host`` and ``port``,
        /// which are of no meaning otherwise. The router closes it when it has stopped.
        public var descriptor: CInt?

        /// Describes an address to listen on.
        public init(host: String, port: Int, security: Security = .none) {
            self.host = host
            self.port = port
            self.security = security
        }

        /// Describes a socket that the process was given, as by systemd's socket activation: there the first one is
        /// number 3, and the environment says how many there are (`LISTEN_FDS`) and for whom (`LISTEN_PID`).
        public init(inherited descriptor: CInt, security: Security = .none) {
            self.init(host: "", port: 0, security: security)
            self.descriptor = descriptor
        }

        /// Reads an address to listen on, `127.0.0.1:8080`, or the number of a socket that the process was given, `fd:3`.
        public init?(_ text: String, security: Security = .none) {
            if text.hasPrefix("fd:"), let descriptor = CInt(text.dropFirst(3)) {
                self.init(inherited: descriptor, security: security)
            } else if case .ip(let host, let port)? = BackendAddress(text) {
                self.init(host: host, port: port, security: security)
            } else {
                return nil
            }
        }
    }
}
