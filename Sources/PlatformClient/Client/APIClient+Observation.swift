public import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Logs, metrics and the audit log.
extension APIClient {
    /// Which lines of an application's log are wanted.
    public struct LogSelection: Sendable, Hashable {
        /// How many of the last lines. 100.
        public var limit = 100
        /// app, router, build, release or platform; none means all.
        public var sources: [String] = []
        /// A process (`web.1`) or a process type.
        public var process: String?
        /// Whether to go on with the lines to come.
        public var tail = false

        /// Selects the last 100 lines.
        public init() {}
    }

    /// Hands over the lines of an application's log, oldest first. Returns after the last one; with `tail`, when the host
    /// ends the stream or the task is cancelled.
    public func logs(
        of application: String, _ selection: LogSelection, onLine: (LogLineInfo) async throws -> Void
    ) async throws {
        var call = Call(.get, "apps", application, "logs", query: [("n", String(selection.limit))])
        for source in selection.sources { call.query.append(("source", source)) }
        if let process = selection.process { call.query.append(("ps", process)) }
        if selection.tail { call.query.append(("tail", "1")) }
        try await self.lines(call) { line in
            try await onLine(try WireJSON.decode(LogLineInfo.self, from: Data(line)))
        }
    }

    /// The five signals of an application over the time up to now.
    public func metrics(of application: String, since: Duration) async throws -> MetricsInfo {
        let seconds = String(max(1, since.components.seconds))
        return try await self.value(Call(.get, "apps", application, "metrics", query: [("since", seconds)]))
    }

    /// The last changes on the platform, newest first.
    public func audit(limit: Int = 100) async throws -> [AuditEntry] {
        try await self.value(Call(.get, "audit", query: [("n", String(limit))]))
    }
}
