#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Where an instance is in its life.
public enum InstanceState: String, Codable, Sendable {
    /// Its process is starting or runs and was not ready yet.
    case starting
    /// It can take work.
    case ready
    /// It runs, was ready, and is not at present.
    case unready
    /// It ended, and waits for its restart.
    case backingOff
    /// It was asked to end.
    case stopping
    /// It ended badly and will not be restarted.
    case failed
    /// It ended well and will not be restarted, or was stopped.
    case stopped
}

/// What a probe found.
public struct ProbeReport: Codable, Sendable, Hashable {
    /// Whether the answer was the expected one.
    public var succeeded: Bool
    /// Such as "GET /healthz answered 500" or "connection refused".
    public var detail: String

    /// Makes a report.
    public init(succeeded: Bool, detail: String) {
        self.succeeded = succeeded
        self.detail = detail
    }
}

/// An instance as it is at one moment.
public struct InstanceStatus: Codable, Sendable, Hashable {
    /// Its name.
    public var id: InstanceID
    /// The labels of its spec.
    public var labels: [String: String]
    /// The user of its spec; nil: the host's own.
    public var user: UserSpec?
    /// Where it is in its life.
    public var state: InstanceState
    /// Its main process, while it has one.
    public var pid: Int32?
    /// Its port, while it has one.
    public var port: Int?
    /// The address at which the host reaches its port, while it has one.
    public var host: String?
    /// When its present process was started.
    public var startedAt: Date?
    /// How often it was started again after it had ended by itself.
    public var restarts: Int
    /// How it ended the last time.
    public var lastExit: ExitStatus?
    /// Why it ended the last time, in words: how its process ended, or for what that was ended, such as "liveness probe
    /// failed 3 times, the last time: GET /healthz answered 500".
    public var lastEnd: String?
    /// What a probe found the last time.
    public var lastProbe: ProbeReport?
    /// How many of its lines were dropped, as its output policy says.
    public var droppedLines: Int
    /// Whether a former host started the present process.
    public var adopted: Bool
    /// Its memory, and whether it was killed for it, when the supervisor looked the last time, as it does where there is a
    /// limit or a policy; ``Supervisor/usage(of:)`` looks now, and at everything.
    public var usage: InstanceUsage?

    /// Makes a status, for fakes.
    public init(
        id: InstanceID, labels: [String: String] = [:], user: UserSpec? = nil, state: InstanceState, pid: Int32? = nil,
        port: Int? = nil, host: String? = nil, startedAt: Date? = nil, restarts: Int = 0, lastExit: ExitStatus? = nil,
        lastEnd: String? = nil,
        lastProbe: ProbeReport? = nil,
        droppedLines: Int = 0, adopted: Bool = false, usage: InstanceUsage? = nil
    ) {
        self.id = id
        self.labels = labels
        self.user = user
        self.state = state
        self.pid = pid
        self.port = port
        self.host = host
        self.startedAt = startedAt
        self.restarts = restarts
        self.lastExit = lastExit
        self.lastEnd = lastEnd
        self.lastProbe = lastProbe
        self.droppedLines = droppedLines
        self.adopted = adopted
        self.usage = usage
    }
}
