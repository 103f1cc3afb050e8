internal import Synchronization

/// The requests that some threads have recorded in the bucket of now, until they are moved to the history.
///
/// Threads are spread over stripes, so that the lock is nearly always free: taking it then costs 10 ns, less than the
/// atomic counting of an object that all threads share.
struct SignalStripe: ~Copyable, Sendable {
    private struct OpenBucket {
        var number: Int64
        var requests = 0
        var clientErrors = 0
        var serverErrors = 0
        var latency = HistogramCells()
        var errorsByCode: [String: Int] = [:]

        mutating func drain() -> SignalBucket {
            var bucket = SignalBucket()
            bucket.requests = self.requests
            bucket.clientErrors = self.clientErrors
            bucket.serverErrors = self.serverErrors
            bucket.latency = self.latency.drain()
            bucket.errorsByCode = self.errorsByCode
            (self.requests, self.clientErrors, self.serverErrors) = (0, 0, 0)
            self.errorsByCode.removeAll(keepingCapacity: true)
            return bucket
        }
    }

    private let open = Mutex<[String: OpenBucket]>([:])
    // Keeps the locks of neighbouring stripes out of each other's cache lines.
    private let padding:
        (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private let maxErrorCodes: Int

    init(maxErrorCodes: Int) {
        self.maxErrorCodes = maxErrorCodes
        self.padding = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    }

    /// Counts a request in the bucket `number`; an older bucket that is still open goes to `history` first.
    borrowing func record(
        _ application: String, number: Int64, status: Int, nanoseconds: Int64, errorCode: String?,
        history: SignalHistories
    ) {
        self.open.withLock { open in
            let position: Dictionary<String, OpenBucket>.Index
            if let known = open.index(forKey: application) {
                position = known
            } else {
                guard history.admit(application) else { return }
                open[application] = OpenBucket(number: number)
                guard let added = open.index(forKey: application) else { return }
                position = added
            }
            if open.values[position].number < number {
                let old = open.values[position].number
                history.merge(open.values[position].drain(), number: old, application: application)
                open.values[position].number = number
            }
            open.values[position].requests += 1
            if status >= 500 {
                open.values[position].serverErrors += 1
            } else if status >= 400 {
                open.values[position].clientErrors += 1
            }
            open.values[position].latency.record(nanoseconds)
            guard let errorCode else { return }
            open.values[position].errorsByCode.count(errorCode, limit: self.maxErrorCodes)
        }
    }

    /// Moves what has been recorded for `application` to `history`.
    borrowing func flush(_ application: String, to history: SignalHistories) {
        self.open.withLock { open in
            guard let position = open.index(forKey: application), open.values[position].requests > 0 else { return }
            let number = open.values[position].number
            history.merge(open.values[position].drain(), number: number, application: application)
        }
    }

    borrowing func remove(_ application: String) {
        self.open.withLock { $0[application] = nil }
    }
}
