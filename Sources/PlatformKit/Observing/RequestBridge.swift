internal import CoreMetrics
public import MetricsCore
public import RouterCore
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Brings what the router saw of each request into the signals, the metrics and, for its own answers, the log.
public final class RequestBridge: RequestObserver {
    private struct Handles {
        var name: String
        var latency: CoreMetrics.Timer
        var requests: [CoreMetrics.Counter]
    }

    private let hub: LogHub
    private let signals: SignalRecorder
    private let registry: MetricsRegistry
    private let names: ApplicationNames
    private let handles = Mutex<[String: Handles]>([:])

    /// Makes a bridge. Metrics carry the names that `names` knows for the identities which routes carry.
    public init(hub: LogHub, signals: SignalRecorder, registry: MetricsRegistry, names: ApplicationNames) {
        self.hub = hub
        self.signals = signals
        self.registry = registry
        self.names = names
        registry.describe("slipway_requests", help: "Requests answered, by application and class of status.")
        registry.describe("slipway_request_duration", help: "Time from the first byte of a request to its last answer.")
    }

    /// Counts the requests; called on a loop of the router.
    public func requestsFinished(_ requests: RequestBatch) {
        for record in requests { self.requestFinished(record) }
    }

    private func requestFinished(_ record: RequestRecord) {
        guard let application = record.application else { return }
        let nanoseconds = record.total.wholeNanoseconds
        self.signals.recordRequest(
            application: application, status: record.status, nanoseconds: nanoseconds,
            errorCode: record.errorCode.map { "\($0)" })
        let name = self.names.name(of: application)
        let (latency, counter) = self.handles.withLock { handles in
            // Made anew when the application was renamed.
            if let known = handles[application], known.name == name {
                return (known.latency, known.requests[min(max(record.status / 100, 1), 5) - 1])
            }
            let known = self.makeHandles(named: name)
            handles[application] = known
            return (known.latency, known.requests[min(max(record.status / 100, 1), 5) - 1])
        }
        counter.increment()
        latency.recordNanoseconds(nanoseconds)
        guard let code = record.errorCode else { return }
        let milliseconds = nanoseconds / 1_000_000
        self.hub.append(
            LogEntry(
                timestamp: Date(), source: .router, process: nil,
                text: """
                    code=\(code) status=\(record.status) method=\(record.method) path=\(record.path) \
                    host=\(record.host) duration=\(milliseconds)ms retries=\(record.retries) \
                    request_id=\(record.requestID)
                    """),
            to: application)
    }

    private func makeHandles(named name: String) -> Handles {
        Handles(
            name: name,
            latency: CoreMetrics.Timer(
                label: "slipway_request_duration", dimensions: [("app", name)], factory: self.registry),
            requests: (1...5).map {
                CoreMetrics.Counter(
                    label: "slipway_requests", dimensions: [("app", name), ("status", "\($0)xx")],
                    factory: self.registry)
            })
    }
}

extension Duration {
    var wholeNanoseconds: Int64 {
        self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000
    }
}
