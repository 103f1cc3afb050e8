#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Something that happened to an instance.
public struct SupervisorEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: Sendable, Hashable {
        /// A process was started.
        case started(pid: Int32, port: Int?)
        /// It can take work, on this port.
        case ready(port: Int?)
        /// It cannot take work any more.
        case unready(reason: String)
        /// It uses more memory than its soft limit. Told once, until it has used a tenth less in between.
        case memoryHigh(usedBytes: Int, softLimitBytes: Int)
        /// It ended by itself, or was ended because a probe failed; nil: it stays down.
        case exited(ExitStatus, willRestartAfter: Duration?)
        /// It failed too often, and stays down.
        case gaveUp(reason: String)
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
    /// When.
    public var at: Date

    /// Makes an event, for fakes.
    public init(id: InstanceID, labels: [String: String] = [:], kind: Kind, at: Date) {
        self.id = id
        self.labels = labels
        self.kind = kind
        self.at = at
    }
}
