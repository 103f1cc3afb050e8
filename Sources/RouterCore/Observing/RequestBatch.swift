/// Requests that have ended, in the order in which they did, as one loop reports them.
///
/// The router keeps them in two blocks of memory and makes a ``RequestRecord`` with its texts only for who looks at
/// one, so that being observed costs a request little.
public struct RequestBatch: Sendable, RandomAccessCollection {
    /// A batch is delivered when it has so many.
    static let limit = 256

    private struct Entry: Sendable {
        var application: ApplicationState?
        var instance: Instance?
        var code: RouterErrorCode?
        var status: Int32
        var retries: Int32
        var upgraded: Bool
        var requestBytes: Int
        var responseBytes: Int
        var endedAt: UInt64
        var total: UInt64
        var queue: UInt64
        var connect: UInt64
        var firstByte: UInt64
        var id: RequestID
        var trace: (high: UInt64, low: UInt64)
        var textStart: Int
        var textEnd: Int
        var methodLength: Int32
        var hostLength: Int32
    }

    private var entries: [Entry] = []
    private var text: [UInt8] = []

    init() {}

    /// The position of the first one.
    public var startIndex: Int { 0 }
    /// The position after the last one.
    public var endIndex: Int { self.entries.count }

    /// What is known about one of them.
    public subscript(position: Int) -> RequestRecord {
        let entry = self.entries[position]
        let hostStart = entry.textStart + Int(entry.methodLength)
        let pathStart = hostStart + Int(entry.hostLength)
        func string(_ start: Int, _ end: Int) -> String { String(decoding: self.text[start..<end], as: UTF8.self) }
        return RequestRecord(
            application: entry.application?.name, backend: entry.instance?.id,
            method: string(entry.textStart, hostStart), host: string(hostStart, pathStart),
            path: string(pathStart, entry.textEnd), status: Int(entry.status), errorCode: entry.code,
            requestBytes: entry.requestBytes, responseBytes: entry.responseBytes,
            endedAt: .nanoseconds(Int64(clamping: entry.endedAt)),
            total: .nanoseconds(Int64(clamping: entry.total)), queue: .nanoseconds(Int64(clamping: entry.queue)),
            connect: .nanoseconds(Int64(clamping: entry.connect)),
            firstByte: .nanoseconds(Int64(clamping: entry.firstByte)), requestID: entry.id.description,
            traceID: Self.text(entry.trace), retries: Int(entry.retries), upgraded: entry.upgraded)
    }

    private static func text(_ trace: (high: UInt64, low: UInt64)) -> String? {
        guard trace.high | trace.low != 0 else { return nil }
        let digits = [trace.high, trace.low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }
        return digits[0] + digits[1]
    }

    mutating func append(
        _ summary: RequestSummary, _ timing: RequestTiming, _ ending: ExchangeEnding, application: ApplicationState?,
        instance: Instance?, id: RequestID, now: UInt64, wallClockOffset: UInt64
    ) {
        if self.entries.isEmpty {
            self.entries.reserveCapacity(Self.limit)
            self.text.reserveCapacity(Self.limit * 48)
        }
        let textStart = self.text.count
        self.text.append(contentsOf: summary.text)
        self.entries.append(
            Entry(
                application: application, instance: instance, code: ending.code,
                status: Int32(truncatingIfNeeded: ending.status), retries: Int32(truncatingIfNeeded: ending.retries),
                upgraded: ending.upgraded, requestBytes: ending.requestBytes, responseBytes: ending.responseBytes,
                endedAt: now &+ wallClockOffset,
                total: timing.start == 0 ? 0 : now &- timing.start, queue: timing.queued, connect: timing.connecting,
                firstByte: timing.firstByte > timing.sent && timing.sent > 0 ? timing.firstByte - timing.sent : 0,
                id: id, trace: summary.trace, textStart: textStart, textEnd: self.text.count,
                methodLength: Int32(truncatingIfNeeded: summary.methodLength),
                hostLength: Int32(truncatingIfNeeded: summary.hostLength)))
    }
}
