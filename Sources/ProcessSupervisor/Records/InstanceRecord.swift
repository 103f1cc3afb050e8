#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What is on disk about an instance, so that the next host finds it.
///
/// It is written before the process is started (without a number) and again at once when it is, so that at no instant a
/// process runs of which nothing is recorded.
public struct InstanceRecord: Codable, Sendable, Hashable {
    /// How far the instance is.
    public enum Phase: String, Codable, Sendable {
        /// A process is about to be started, or was and its number is not written yet.
        case starting
        /// A process runs.
        case running
        /// No process runs; one will be started.
        case backingOff
        /// The instance was asked to end, and must not come back.
        case stopping
    }

    /// The version of this format.
    public var version = 1
    /// The instance as it should run.
    public var spec: InstanceSpec
    /// Whether it is a one-off: nobody waits for it after its host has died, and it is ended.
    public var isOneOff: Bool
    /// How far it is.
    public var phase: Phase
    /// The mark of the start, ``LaunchRequest/markerVariable``.
    public var startID: String
    /// The boot of the machine in which it was started.
    public var bootID: String
    /// The number of its main process.
    public var pid: Int32?
    /// When the main process began, in clock ticks since the boot.
    public var startTime: UInt64?
    /// Its port.
    public var port: Int?
    /// When it was started.
    public var startedAt: Date?
    /// How often it has been restarted.
    public var restarts: Int
    /// Restarts in a row without a stable time in between.
    public var attempts: Int
    /// Whether its present process was ready once.
    public var wasReady: Bool
    /// Whether its present process has passed its startup check; nil: recorded by a version that had none.
    public var hasStartedUp: Bool?
    /// How its process before this one ended; nil: there was none, or a version recorded it that did not.
    public var lastExit: ExitStatus?
    /// Why that ended, in words; see ``InstanceStatus/lastEnd``.
    public var lastEnd: String?

    /// Makes a record.
    public init(
        spec: InstanceSpec, isOneOff: Bool = false, phase: Phase, startID: String, bootID: String, pid: Int32? = nil,
        startTime: UInt64? = nil, port: Int? = nil, startedAt: Date? = nil, restarts: Int = 0, attempts: Int = 0,
        wasReady: Bool = false, hasStartedUp: Bool? = nil, lastExit: ExitStatus? = nil, lastEnd: String? = nil
    ) {
        self.spec = spec
        self.isOneOff = isOneOff
        self.phase = phase
        self.startID = startID
        self.bootID = bootID
        self.pid = pid
        self.startTime = startTime
        self.port = port
        self.startedAt = startedAt
        self.restarts = restarts
        self.attempts = attempts
        self.wasReady = wasReady
        self.hasStartedUp = hasStartedUp
        self.lastExit = lastExit
        self.lastEnd = lastEnd
    }
}
