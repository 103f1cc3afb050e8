/// What has gone to one instance of an application since the router began, or was answered for it by the router itself.
public struct Traffic: Sendable, Hashable {
    /// Answers by the first digit of their status; the last one counts those without (the client had gone).
    public struct Statuses: Sendable, Hashable {
        private var counts: (Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0)

        /// 101, of WebSockets.
        public var informational: Int { self.counts.0 }
        /// 200 to 299.
        public var successful: Int { self.counts.1 }
        /// 300 to 399.
        public var redirected: Int { self.counts.2 }
        /// 400 to 498.
        public var clientErrors: Int { self.counts.3 }
        /// 500 to 599.
        public var serverErrors: Int { self.counts.4 }
        /// The client had gone before there was an answer.
        public var unanswered: Int { self.counts.5 }
        /// All of them.
        public var total: Int {
            self.counts.0 + self.counts.1 + self.counts.2 + self.counts.3 + self.counts.4 + self.counts.5
        }

        @inline(__always)
        mutating func record(_ status: Int) {
            switch status {
            case 499: self.counts.5 &+= 1
            case ..<200: self.counts.0 &+= 1
            case ..<300: self.counts.1 &+= 1
            case ..<400: self.counts.2 &+= 1
            case ..<500: self.counts.3 &+= 1
            default: self.counts.4 &+= 1
            }
        }

        mutating func add(_ other: Statuses) {
            self.counts.0 += other.counts.0
            self.counts.1 += other.counts.1
            self.counts.2 += other.counts.2
            self.counts.3 += other.counts.3
            self.counts.4 += other.counts.4
            self.counts.5 += other.counts.5
        }

        /// Whether every count is the same.
        public static func == (lhs: Self, rhs: Self) -> Bool { lhs.counts == rhs.counts }
        /// Hashes every count.
        public func hash(into hasher: inout Hasher) {
            for count in [counts.0, counts.1, counts.2, counts.3, counts.4, counts.5] { hasher.combine(count) }
        }
    }

    /// The answers.
    public var statuses = Statuses()
    /// From the end of a request's head to the end of the exchange.
    public var total = LatencyHistogram()
    /// Thereof waiting for a place with an instance; only of requests that waited.
    public var queue = LatencyHistogram()
    /// Thereof waiting for a connection; only of requests for which one was made.
    public var connect = LatencyHistogram()
    /// From the request being sent on to the first byte of the response.
    public var firstByte = LatencyHistogram()
    /// Bytes received from clients.
    public var requestBytes = 0
    /// Bytes sent to clients.
    public var responseBytes = 0
    /// How often requests were sent again.
    public var retries = 0
    /// Connections that became tunnels (WebSockets).
    public var upgrades = 0
    /// How often the instance was set aside.
    public var ejections = 0
    /// The router's own answers and broken exchanges, by code.
    public var errors: [RouterErrorCode: Int] = [:]

    /// Nothing yet.
    public init() {}

    /// Adds what another one has counted.
    public mutating func add(_ other: Traffic) {
        self.statuses.add(other.statuses)
        self.total.add(other.total)
        self.queue.add(other.queue)
        self.connect.add(other.connect)
        self.firstByte.add(other.firstByte)
        self.requestBytes += other.requestBytes
        self.responseBytes += other.responseBytes
        self.retries += other.retries
        self.upgrades += other.upgrades
        self.ejections += other.ejections
        self.errors.merge(other.errors) { $0 + $1 }
    }

    @inline(__always)
    mutating func record(_ ending: ExchangeEnding, _ timing: RequestTiming, now: UInt64) {
        self.statuses.record(ending.status)
        self.total.record(timing.start == 0 ? 0 : now &- timing.start)
        if timing.queued > 0 { self.queue.record(timing.queued) }
        if timing.connecting > 0 { self.connect.record(timing.connecting) }
        if timing.firstByte > timing.sent, timing.sent > 0 { self.firstByte.record(timing.firstByte &- timing.sent) }
        self.requestBytes &+= ending.requestBytes
        self.responseBytes &+= ending.responseBytes
        self.retries &+= ending.retries
        if ending.upgraded { self.upgrades &+= 1 }
        if let code = ending.code { self.errors[code, default: 0] += 1 }
    }
}

/// What has gone through the router for one application.
public struct ApplicationTraffic: Sendable {
    /// Its name; empty for requests that no application's route claims.
    public var application: String
    /// By instance, those that are in the route or have requests left.
    public var instances: [BackendID: Traffic] = [:]
    /// What was answered without an instance, and what went to instances that are gone.
    public var others = Traffic()

    /// All of it together.
    public var all: Traffic { self.instances.values.reduce(into: self.others) { $0.add($1) } }

    /// Makes one without any.
    public init(application: String) {
        self.application = application
    }

    /// Adds what another one has counted.
    public mutating func add(_ other: ApplicationTraffic) {
        for (id, traffic) in other.instances { self.instances[id, default: Traffic()].add(traffic) }
        self.others.add(other.others)
    }
}
