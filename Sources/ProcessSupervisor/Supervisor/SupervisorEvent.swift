#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Something that happened to an instance, and why.
///
/// Every change of an instance's state is told by one.
public struct SupervisorEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: Sendable, Hashable {
        /// A process was started.
        case started(pid: Int32, port: Int?)
        /// It can take work, on this port.
        case ready(port: Int?)
        /// It cannot take work any more.
        case unready
        /// It uses more memory than its soft limit. Told once, until it has used a tenth less in between.
        case memoryHigh(usedBytes: Int, softLimitBytes: Int)
        /// So much of what it wrote was dropped since this was told the last time, as its policy says.
        case outputDropped(lines: Int, bytes: Int)
        /// The command for that moment failed, or took too long.
        case commandFailed(LifecycleCommand.Moment)
        /// Its process is being ended, though nobody wants the instance to be gone.
        case ending
        /// Its process has ended, or could not be executed; nil: it stays down.
        case exited(ExitStatus, willRestartAfter: Duration?)
        /// It failed after so many restarts in a row, and stays down.
        case gaveUp(restarts: Int)
        /// It was asked to end.
        case stopping
        /// It has ended, as asked.
        case stopped(ExitStatus?)
        /// A process of a former host was taken over.
        case adopted(pid: Int32, port: Int?)
    }

    /// The instance.
    public var id: InstanceID
    /// The labels of its spec.
    public var labels: [String: String]
    /// What happened.
    public var kind: Kind
    /// Why.
    public var cause: Cause
    /// When.
    public var at: Date

    /// Makes an event, for fakes.
    public init(id: InstanceID, labels: [String: String] = [:], kind: Kind, cause: Cause, at: Date) {
        self.id = id
        self.labels = labels
        self.kind = kind
        self.cause = cause
        self.at = at
    }
}
