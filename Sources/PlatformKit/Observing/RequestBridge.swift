public import MetricsCore
public import RouterCore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Brings what the router saw of each request into the signals and, for its own answers, the log.
///
/// Requests are not counted here for `/metrics`: the router has counted them (``LocalRuntime/readings(names:)``).
public struct RequestBridge: RequestObserver {
    private let hub: LogHub
    private let signals: SignalRecorder

    /// Makes a bridge.
    public init(hub: LogHub, signals: SignalRecorder) {
        self.hub = hub
        self.signals = signals
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
}

extension Duration {
    var wholeNanoseconds: Int64 {
        self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000
    }
}
