#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What somebody wants to be kept in an application's log.
///
/// Its text may have several lines: each becomes a ``LogLine``, and one that is longer than the hub allows becomes several.
public struct LogEntry: Sendable, Hashable {
    /// When it was said, as its source tells.
    public var timestamp: Date
    /// Who said it.
    public var source: LogSource
    /// The instance, such as `web.1`; `nil` where there is none.
    public var process: String?
    /// What was said.
    public var text: String

    /// Makes an entry.
    public init(timestamp: Date, source: LogSource, process: String? = nil, text: String) {
        self.timestamp = timestamp
        self.source = source
        self.process = process
        self.text = text
    }
}

/// One line of an application's log.
public struct LogLine: Codable, Sendable, Hashable {
    /// The line's place in the application's log: grows strictly, across restarts of the host too, not by one.
    public var sequence: UInt64
    /// When it was said, as its source tells; not necessarily in the order of `sequence`.
    public var timestamp: Date
    /// Who said it.
    public var source: LogSource
    /// The instance, such as `web.1`; `nil` where there is none.
    public var process: String?
    /// What was said: one line, without its line feed.
    public var text: String

    /// Makes a line.
    public init(sequence: UInt64, timestamp: Date, source: LogSource, process: String? = nil, text: String) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.source = source
        self.process = process
        self.text = text
    }

    /// The line as people read it: `2026-11-21T09:05:00.250Z app[web.1]: Listening on port 5000`.
    public var formatted: String {
        let time = self.timestamp.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        guard let process = self.process else { return "\(time) \(self.source.rawValue): \(self.text)" }
        return "\(time) \(self.source.rawValue)[\(process)]: \(self.text)"
    }
}

/// Which lines of a log somebody wants to see. Without conditions it passes all.
public struct LogFilter: Sendable, Hashable, Codable {
    /// Only lines of these sources; `nil` for all.
    public var sources: Set<LogSource>?
    /// Only lines of this instance (`web.1`) or of all instances of this process type (`web`); `nil` for all lines.
    public var process: String?

    /// Passes every line.
    public static let all = LogFilter()

    /// Makes a filter.
    public init(sources: Set<LogSource>? = nil, process: String? = nil) {
        self.sources = sources
        self.process = process
    }

    /// Whether the filter passes `line`.
    public func matches(_ line: LogLine) -> Bool {
        if let sources = self.sources, !sources.contains(line.source) { return false }
        guard let wanted = self.process else { return true }
        guard let process = line.process else { return false }
        if process == wanted { return true }
        return process.utf8.count > wanted.utf8.count
            && process.utf8.starts(with: wanted.utf8)
            && process.utf8.dropFirst(wanted.utf8.count).first == UInt8(ascii: ".")
    }
}
