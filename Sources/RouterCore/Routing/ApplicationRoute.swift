/// Everything the router knows about one application: which requests are its own and where they go.
public struct ApplicationRoute: Sendable, Hashable {
    /// Whether requests reach the instances.
    public enum Mode: Sendable, Hashable {
        /// Requests go to the instances.
        case serving
        /// Requests are answered 503 with this page; nil for the router's own.
        case maintenance(html: String?)
    }

    /// The application's name, by which the route is replaced and removed.
    public var application: String
    /// The hosts whose requests it gets, in any case and without port: a name (`www.example.com`), all names below one
    /// (`*.example.com`), or `*` for what no other application claims. The most specific one wins.
    public var hosts: [String]
    /// The instances. Empty is allowed: requests are then answered 503.
    public var backends: [Backend]
    /// Whether it serves or is in maintenance.
    public var mode: Mode
    /// How long the instances may take.
    public var timeouts: RouteTimeouts
    /// How large a request's body may be, in bytes; nil for ``Router/Configuration/maxRequestBodyBytes``.
    public var maxRequestBodyBytes: Int?
    /// What the instances speak: HTTP/1.1. WebSockets need it.
    public var instanceProtocol: InstanceProtocol = .http1

    /// Describes a route.
    public init(
        application: String, hosts: [String], backends: [Backend], mode: Mode = .serving,
        timeouts: RouteTimeouts = RouteTimeouts(), maxRequestBodyBytes: Int? = nil
    ) {
        self.application = application
        self.hosts = hosts
        self.backends = backends
        self.mode = mode
        self.timeouts = timeouts
        self.maxRequestBodyBytes = maxRequestBodyBytes
    }
}

/// What instances speak.
public enum InstanceProtocol: Sendable, Hashable {
    /// HTTP/1.1, a connection per request at a time.
    case http1
    /// HTTP/2 in clear text by prior knowledge, as gRPC servers do: many requests over one connection.
    case http2
}

/// How long an application's instances may take. Kept to within a quarter of a second.
public struct RouteTimeouts: Sendable, Hashable {
    /// To accept a connection: 5 s. Then the next instance is tried.
    public var connect: Duration = .seconds(5)
    /// From the end of the request to the first byte of the response: 30 s. Then the answer is 504.
    public var firstByte: Duration = .seconds(30)
    /// Between two bytes of the response: 55 s. Then the response is broken off.
    public var betweenBytes: Duration = .seconds(55)
    /// Between two bytes of an upgraded connection, in either direction: 1 h.
    public var upgradedIdle: Duration = .seconds(3600)
    /// For a request to wait in the queue while every instance is at its limit: 30 s. Then the answer is 503.
    public var queue: Duration = .seconds(30)

    /// The defaults.
    public init() {}
}
