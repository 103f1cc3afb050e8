internal import MetricsCore
public import PlatformWire

extension Platform {
    /// The last lines of an application's log, oldest first.
    public func recentLogs(
        of name: String, limit: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> [LogLineInfo] {
        let application = try await self.find(name)
        let filter = try Self.filter(sources, process)
        return self.logs.recent(application.id, limit: limit, filter: filter).map(LogLineInfo.init)
    }

    /// The last lines of an application's log and then each new one. Ends when the application is destroyed, or the
    /// task that reads is cancelled.
    public func tailLogs(
        of name: String, last: Int, sources: Set<String>?, process: String?
    ) async throws(PlatformError) -> AsyncStream<LogLineInfo> {
        let application = try await self.find(name)
        let tail = self.logs.tail(application.id, last: last, filter: try Self.filter(sources, process))
        // Taken from the tail as they are read: it counts the lines that a slow reader loses, and says so.
        return AsyncStream(unfolding: {
            var iterator = tail.makeAsyncIterator()
            return await iterator.next().map(LogLineInfo.init)
        })
    }

    /// The five signals of an application.
    public func metrics(of name: String, since window: Duration) async throws(PlatformError) -> MetricsInfo {
        let application = try await self.find(name)
        let report = self.signals.report(application: application.id, since: window)
        return MetricsInfo(
            windowSeconds: report.windowSeconds, requests: report.requests, throughput: report.throughput,
            serverErrors: report.serverErrors, clientErrors: report.clientErrors, errorRate: report.serverErrorRate,
            p50Milliseconds: report.latency?.p50, p95Milliseconds: report.latency?.p95,
            p99Milliseconds: report.latency?.p99, cpuCores: report.cpuCores, memoryBytes: report.memoryBytes,
            instancesReady: self.runtime.instances(of: application.id).count { $0.phase == .ready },
            instancesWanted: await self.controller(of: application.id).liveSlots.count, restarts: report.restarts,
            errorsByCode: report.errorsByCode)
    }

    /// Every metric of the platform in the Prometheus text format, and what its runtime has counted.
    public func metricsText() async -> String {
        self.registry.prometheusText(with: await self.runtime.readings(names: self.names))
    }

    /// Who did what, the newest first.
    public func audit(limit: Int) async throws(PlatformError) -> [AuditEntry] {
        try await self.reading { try $0.audit(limit: min(max(limit, 0), 10_000)) }.map {
            AuditEntry(at: $0.at, actor: $0.actor, action: $0.action, application: $0.application, detail: $0.detail)
        }
    }

    func append(_ lines: [String], process: String, to applicationID: String) {
        let now = self.now()
        self.logs.append(
            lines.map { LogEntry(timestamp: now, source: .app, process: process, text: $0) }, to: applicationID)
    }

    private static func filter(_ sources: Set<String>?, _ process: String?) throws(PlatformError) -> LogFilter {
        guard let sources else { return LogFilter(sources: nil, process: process) }
        var known: Set<LogSource> = []
        for source in sources {
            guard let value = LogSource(rawValue: source) else {
                let all = LogSource.allCases.map(\.rawValue).joined(separator: ", ")
                throw PlatformError(.invalid, "there is no log source \(source); there are: \(all)")
            }
            known.insert(value)
        }
        return LogFilter(sources: known, process: process)
    }
}

extension LogLineInfo {
    init(_ line: LogLine) {
        self.init(
            sequence: line.sequence, timestamp: line.timestamp, source: line.source.rawValue, process: line.process,
            text: line.text)
    }
}
