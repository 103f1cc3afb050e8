#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One line of an application's log.
public struct LogLineInfo: Codable, Sendable, Hashable {
    /// Grows by one with each line of the application.
    public var sequence: UInt64
    /// When the line was read.
    public var timestamp: Date
    /// app, router, build, release or platform.
    public var source: String
    /// The process that it is about: `web.1`.
    public var process: String?
    /// The line.
    public var text: String

    /// Makes one from its parts.
    public init(sequence: UInt64, timestamp: Date, source: String, process: String?, text: String) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.source = source
        self.process = process
        self.text = text
    }
}

/// The five signals of an application over a window of time.
public struct MetricsInfo: Codable, Sendable, Hashable {
    /// The length of the window in seconds.
    public var windowSeconds: Double
    /// Requests answered in the window.
    public var requests: Int
    /// Requests per second.
    public var throughput: Double
    /// Answers of 500 and above.
    public var serverErrors: Int
    /// Answers from 400 to 499.
    public var clientErrors: Int
    /// The share of answers of 500 and above, from 0 to 1.
    public var errorRate: Double
    /// Median latency in milliseconds; `nil` without requests.
    public var p50Milliseconds: Double?
    /// The latency that 95 of 100 requests stay under, in milliseconds.
    public var p95Milliseconds: Double?
    /// The latency that 99 of 100 requests stay under, in milliseconds.
    public var p99Milliseconds: Double?
    /// Processor cores in use, of all instances together.
    public var cpuCores: Double
    /// Resident memory of all instances together, in bytes.
    public var memoryBytes: Int64
    /// Instances that are ready now.
    public var instancesReady: Int
    /// Instances that are wanted now.
    public var instancesWanted: Int
    /// Restarts after crashes in the window.
    public var restarts: Int
    /// Answers of the router itself by code.
    public var errorsByCode: [String: Int]

    /// Makes one from its parts.
    public init(
        windowSeconds: Double, requests: Int, throughput: Double, serverErrors: Int, clientErrors: Int,
        errorRate: Double, p50Milliseconds: Double?, p95Milliseconds: Double?, p99Milliseconds: Double?,
        cpuCores: Double, memoryBytes: Int64, instancesReady: Int, instancesWanted: Int, restarts: Int,
        errorsByCode: [String: Int]
    ) {
        self.windowSeconds = windowSeconds
        self.requests = requests
        self.throughput = throughput
        self.serverErrors = serverErrors
        self.clientErrors = clientErrors
        self.errorRate = errorRate
        self.p50Milliseconds = p50Milliseconds
        self.p95Milliseconds = p95Milliseconds
        self.p99Milliseconds = p99Milliseconds
        self.cpuCores = cpuCores
        self.memoryBytes = memoryBytes
        self.instancesReady = instancesReady
        self.instancesWanted = instancesWanted
        self.restarts = restarts
        self.errorsByCode = errorsByCode
    }
}

/// Something that somebody changed.
public struct AuditEntry: Codable, Sendable, Hashable {
    /// When.
    public var at: Date
    /// Who.
    public var actor: String
    /// What, as a word: `config.set`, `app.create`.
    public var action: String
    /// The application, if it was about one.
    public var application: String?
    /// More about it; never a secret value.
    public var detail: String

    /// Makes one from its parts.
    public init(at: Date, actor: String, action: String, application: String?, detail: String) {
        self.at = at
        self.actor = actor
        self.action = action
        self.application = application
        self.detail = detail
    }
}
