#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One running (or failed) process of an application.
public struct InstanceInfo: Codable, Sendable, Hashable {
    /// The name people use: `web.1`.
    public var name: String
    /// The release that it runs.
    public var release: Int
    /// starting, ready, unready, backingOff, stopping, failed or stopped.
    public var state: String
    /// Its process identifier while it runs.
    public var pid: Int32?
    /// The port that it listens on, if it was given one.
    public var port: Int?
    /// When its present process started.
    public var startedAt: Date?
    /// How often it was started again.
    public var restarts: Int
    /// How its last process ended, or for what that was ended, in words.
    public var lastExit: String?
    /// What the last probe saw, in words.
    public var lastProbe: String?
    /// Resident memory of its whole process tree, in bytes.
    public var memoryBytes: Int64?
    /// Whether requests are routed to it.
    public var isRouted: Bool
    /// The size that limits it.
    public var size: String?

    /// Makes one from its parts.
    public init(
        name: String, release: Int, state: String, pid: Int32?, port: Int?, startedAt: Date?, restarts: Int,
        lastExit: String?, lastProbe: String?, memoryBytes: Int64?, isRouted: Bool, size: String? = nil
    ) {
        self.name = name
        self.release = release
        self.state = state
        self.pid = pid
        self.port = port
        self.startedAt = startedAt
        self.restarts = restarts
        self.lastExit = lastExit
        self.lastProbe = lastProbe
        self.memoryBytes = memoryBytes
        self.isRouted = isRouted
        self.size = size
    }
}

/// The body of a request to scale: wanted numbers by process type.
public struct ScaleRequest: Codable, Sendable, Hashable {
    /// The wanted number of instances by process type.
    public var quantities: [String: Int]
    /// The sizes of some process types, by name; the others keep theirs.
    public var sizes: [String: String]?

    /// Makes one from its parts.
    public init(quantities: [String: Int], sizes: [String: String]? = nil) {
        self.quantities = quantities
        self.sizes = sizes
    }
}

/// The body of a request about some instances: all, those of a type (`web`), or one (`web.1`).
public struct InstanceSelection: Codable, Sendable, Hashable {
    /// A process type or the name of an instance; `nil` means all.
    public var target: String?

    /// Makes one from the target.
    public init(target: String?) { self.target = target }
}
