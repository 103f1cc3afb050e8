import Synchronization

/// Counts the bytes that a build prints and says once when they are too many.
final class OutputMeter: Sendable {
    /// Yields once, when the limit is passed.
    let tripped: AsyncStream<Void>
    private let limit: Int
    private let count = Mutex(0)
    private let continuation: AsyncStream<Void>.Continuation

    init(limit: Int) {
        self.limit = limit
        (self.tripped, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Counts `bytes`; false when they no longer fit.
    func admits(_ bytes: Int) -> Bool {
        let fits = self.count.withLock { count in
            count = count.addingReportingOverflow(bytes).partialValue
            return count <= self.limit && count >= 0
        }
        if !fits { self.continuation.yield() }
        return fits
    }
}
