/// Everything the router knows about one application: which requests are its own and where they go.
///
/// An application has one route with any number of ``matches``. All of them share its instances, its queue and its
/// ``policy``, and are replaced in one step; parts that need others are applications of their own on the same hosts.
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
    /// Which requests it gets.
    public var matches: [RouteMatch]
    /// The instances. Empty is allowed: requests are then answered 503, or wait when there is ``hold``.
    public var backends: [Backend]
    /// Whether it serves or is in maintenance.
    public var mode: Mode
    /// How long the instances may take.
    public var timeouts: RouteTimeouts {
        get { self.boxedTimeouts?.value ?? RouteTimeouts() }
        set { self.boxedTimeouts = newValue == RouteTimeouts() ? nil : .value(newValue) }
    }
    /// How large a request's body may be, in bytes; nil for ``Router/Configuration/maxRequestBodyBytes``.
    public var maxRequestBodyBytes: Int?
    /// What the instances speak: HTTP/1.1. WebSockets need it.
    public var instanceProtocol: InstanceProtocol = .http1
    /// How an instance is chosen: the less busy of two.
    public var selection: InstanceSelection = .leastBusy
    /// How clients are divided among releases, by ``Backend/release``; empty for not at all.
    public var releases: [ReleaseShare] = []
    /// By what a client is known when it is given a release: its address.
    public var releaseKey: ReleaseKey = .clientAddress
    /// Over how long a new instance's share of the requests grows from a tenth to the whole; nil for at once.
    public var slowStart: Duration?
    /// Requests that come while there is no instance, or that every instance refuses, wait until there is one; nil to answer
    /// them 503 at once.
    public var hold: HoldPolicy? {
        get { self.boxedHold?.value }
        set { self.boxedHold = newValue.map(Boxed.value) }
    }
    /// What requests meet before they reach an instance, and what is changed about responses; nil for nothing.
    public var policy: RoutePolicy? {
        get { self.boxedPolicy?.value }
        set { self.boxedPolicy = newValue.map(Boxed.value) }
    }

    /// How a ``HealthMonitor`` probes the instances; nil for not at all.
    public var probe: ProbeSettings? {
        get { self.boxedProbe?.value }
        set { self.boxedProbe = newValue.map(Boxed.value) }
    }

    /// Whether its instances may take as long as those of most.
    var hasUsualTimeouts: Bool { self.boxedTimeouts == nil }

    // What few routes have takes a word of the others, of which there may be tens of thousands.
    private var boxedTimeouts: Boxed<RouteTimeouts>?
    private var boxedHold: Boxed<HoldPolicy>?
    private var boxedPolicy: Boxed<RoutePolicy>?
    private var boxedProbe: Boxed<ProbeSettings>?

    /// The hosts of which it gets every request that no other match claims: those of the ``matches`` without conditions.
    /// Setting them leaves matches with conditions as they are.
    public var hosts: [String] {
        get { self.matches.filter(\.isUnconditional).flatMap(\.hosts) }
        set {
            self.matches.removeAll(where: \.isUnconditional)
            if !newValue.isEmpty { self.matches.append(RouteMatch(hosts: newValue)) }
        }
    }

    /// Describes the route of an application that has hosts of its own.
    ///
    /// Its hosts are given in any case and without port: a name (`www.example.com`), all names below one
    /// (`*.example.com`), or `*` for what no other application claims. The most specific one wins.
    public init(
        application: String, hosts: [String], backends: [Backend], mode: Mode = .serving,
        timeouts: RouteTimeouts = RouteTimeouts(), maxRequestBodyBytes: Int? = nil
    ) {
        self.init(
            application: application, matches: hosts.isEmpty ? [] : [RouteMatch(hosts: hosts)], backends: backends,
            mode: mode, timeouts: timeouts, maxRequestBodyBytes: maxRequestBodyBytes)
    }

    /// Describes the route of an application that shares hosts with others, by path or header fields.
    public init(
        application: String, matches: [RouteMatch], backends: [Backend], mode: Mode = .serving,
        timeouts: RouteTimeouts = RouteTimeouts(), maxRequestBodyBytes: Int? = nil
    ) {
        self.application = application
        self.matches = matches
        self.backends = backends
        self.mode = mode
        self.maxRequestBodyBytes = maxRequestBodyBytes
        self.timeouts = timeouts
    }
}

/// What instances speak.
public enum InstanceProtocol: Sendable, Hashable {
    /// HTTP/1.1, a connection per request at a time.
    case http1
    /// HTTP/2 in clear text by prior knowledge, as gRPC servers do: many requests over one connection.
    case http2
}

/// A value in an object of its own.
private indirect enum Boxed<Value: Sendable & Hashable>: Sendable, Hashable {
    case value(Value)

    var value: Value {
        switch self {
        case .value(let value): value
        }
    }
}

extension RouteMatch {
    fileprivate var isUnconditional: Bool {
        self.headers.isEmpty && (self.pathPrefix == nil || self.pathPrefix == "/")
    }
}

/// How long an application's instances may take. Kept to within a quarter of a second.
public struct RouteTimeouts: Sendable, Hashable {
    /// To accept a connection: 5 s. Then the next instance is tried.
    public var connect: Duration = .seconds(5)
    /// From the end of the request to the head of the response: 30 s. Then the answer is 504.
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
