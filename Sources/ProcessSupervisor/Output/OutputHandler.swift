#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A line that an instance wrote.
public struct OutputLine: Sendable, Hashable {
    /// The line without its end; bytes that are not UTF-8 are replaced.
    public var text: String
    /// When it was read.
    public var timestamp: Date
    /// Whether it was cut: it is too long, or its end is slow to come. The next line from the instance continues it.
    public var isPartial: Bool

    /// Makes a line.
    public init(text: String, timestamp: Date, isPartial: Bool = false) {
        self.text = text
        self.timestamp = timestamp
        self.isPartial = isPartial
    }
}

/// Where the output of instances goes.
///
/// ## What a conformer can rely on
/// - Calls for one instance come one after another, in the order of writing; standard output and error are one stream.
/// - A call that takes its time slows the instance down (its pipe fills), and nobody else.
/// - What an instance wrote comes before the event that tells of its end.
public protocol OutputHandler: Sendable {
    /// Takes some lines. Must not wait for the supervisor.
    func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String])
}

/// Throws output away.
public struct DiscardingOutputHandler: OutputHandler {
    /// Makes a handler.
    public init() {}
    /// Does nothing.
    public func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {}
}
