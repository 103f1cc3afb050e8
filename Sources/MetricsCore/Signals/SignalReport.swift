/// The five signals of one application over a span of time that ends now.
public struct SignalReport: Codable, Sendable, Hashable {
    /// How long requests took to answer, in milliseconds.
    public struct Latency: Codable, Sendable, Hashable {
        /// Half of the requests took no longer.
        public var p50: Double
        /// 95 % of the requests took no longer.
        public var p95: Double
        /// 99 % of the requests took no longer.
        public var p99: Double
        /// The longest.
        public var max: Double

        /// Makes a value.
        public init(p50: Double, p95: Double, p99: Double, max: Double) {
            self.p50 = p50
            self.p95 = p95
            self.p99 = p99
            self.max = max
        }

        init?(_ snapshot: HistogramSnapshot) {
            guard let p50 = snapshot.quantile(0.5), let p95 = snapshot.quantile(0.95),
                let p99 = snapshot.quantile(0.99), let max = snapshot.max
            else { return nil }
            self.init(p50: Double(p50) / 1e6, p95: Double(p95) / 1e6, p99: Double(p99) / 1e6, max: Double(max) / 1e6)
        }
    }

    /// What one instance uses now.
    public struct Process: Codable, Sendable, Hashable {
        /// Memory in bytes.
        public var memoryBytes: Int64
        /// The most memory it may have, in bytes; `nil` without a limit.
        public var memoryLimitBytes: Int64?
        /// CPU cores used between its last two samples: 0.5 is half of one core.
        public var cpuCores: Double

        /// Makes a value.
        public init(memoryBytes: Int64, memoryLimitBytes: Int64? = nil, cpuCores: Double) {
            self.memoryBytes = memoryBytes
            self.memoryLimitBytes = memoryLimitBytes
            self.cpuCores = cpuCores
        }
    }

    /// The span that is reported, in seconds: what was asked for in whole buckets, and no longer than the application has
    /// been known.
    public var windowSeconds = 0.0

    /// Requests that were answered, by the application or by the router for it.
    public var requests = 0
    /// Requests per second.
    public var throughput = 0.0

    /// Answers with a status of 500 or more.
    public var serverErrors = 0
    /// The share of requests that ended in a server error, 0...1.
    public var serverErrorRate = 0.0
    /// Answers with a status of 400 to 499.
    public var clientErrors = 0
    /// The router's error codes, and how often each was the answer.
    public var errorsByCode: [String: Int] = [:]

    /// Latency; `nil` when there was no request.
    public var latency: Latency?

    /// CPU cores used on average in the window, all instances together.
    public var cpuCores = 0.0
    /// Memory used now, in bytes, all instances together.
    public var memoryBytes: Int64 = 0
    /// What each instance uses now, by its name (`web.1`).
    public var processes: [String: Process] = [:]

    /// Instances that are ready now.
    public var instancesReady = 0
    /// Instances that there should be.
    public var instancesWanted = 0
    /// Restarts in the window that nobody asked for.
    public var restarts = 0

    /// Makes an empty report.
    public init() {}
}

/// The signals of an application in one of several consecutive spans, for a graph.
public struct SignalPoint: Codable, Sendable, Hashable {
    /// When the span began, in seconds before now.
    public var secondsAgo = 0.0
    /// How long it is, in seconds; the last one is still going on.
    public var seconds = 0.0
    /// Requests that were answered.
    public var requests = 0
    /// Answers with a status of 500 or more.
    public var serverErrors = 0
    /// Answers with a status of 400 to 499.
    public var clientErrors = 0
    /// Latency; `nil` when there was no request.
    public var latency: SignalReport.Latency?
    /// CPU cores used on average.
    public var cpuCores = 0.0
    /// The most memory used, in bytes, all instances together.
    public var memoryBytes: Int64 = 0
    /// Restarts that nobody asked for.
    public var restarts = 0

    /// Makes an empty point.
    public init() {}
}
