/// How many requests may come: a bucket that holds `burst` of them and fills up evenly.
public struct RequestRate: Sendable, Hashable {
    /// So many requests …
    public let requests: Int
    /// … in this time, as an average.
    public let period: Duration
    /// How many may come at once after a pause.
    public let burst: Int

    /// Describes a rate.
    ///
    /// - Parameters:
    ///   - requests: 1 to 1,000,000.
    ///   - period: 1 ms to a day; a second by default.
    ///   - burst: 1 to 100,000; as many as `requests` (and not more than that limit) by default.
    /// - Throws: ``RouterError`` when a value is out of bounds.
    public init(_ requests: Int, per period: Duration = .seconds(1), burst: Int? = nil) throws(RouterError) {
        let burst = burst ?? min(requests, 100_000)
        guard (1...1_000_000).contains(requests), (1...100_000).contains(burst), period >= .milliseconds(1),
            period <= .seconds(86_400)
        else {
            throw RouterError(
                .invalidRoute,
                "A rate of \(requests) requests per \(period) with a burst of \(burst) is out of bounds: give 1 to "
                    + "1,000,000 requests in 1 ms to a day, and a burst of 1 to 100,000.")
        }
        self.requests = requests
        self.period = period
        self.burst = burst
    }
}

/// Limits on how often requests come. What is over a limit is answered 429, and says when to come again.
public struct RateLimits: Sendable, Hashable {
    /// For each client: an IPv4 address, or the first 64 bits of an IPv6 one. Nil for no limit.
    ///
    /// Every event loop counts by itself, so that a client that spreads its connections over several loops may reach
    /// the rate on each. One that keeps its connection, or a router with one loop (the default), is held to it exactly.
    public var perClient: RequestRate?
    /// For all clients together. Nil for no limit. Every event loop has an equal part of it.
    public var perApplication: RequestRate?

    /// Describes limits; none by default.
    public init(perClient: RequestRate? = nil, perApplication: RequestRate? = nil) {
        self.perClient = perClient
        self.perApplication = perApplication
    }
}
