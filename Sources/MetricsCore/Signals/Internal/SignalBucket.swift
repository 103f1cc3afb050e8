/// What happened to one application in one span of time.
struct SignalBucket: Sendable {
    var requests = 0
    var clientErrors = 0
    var serverErrors = 0
    var latency = HistogramSnapshot()
    var errorsByCode: [String: Int] = [:]
    var cpuSeconds = 0.0
    var peakMemoryBytes: Int64 = 0
    var restarts = 0

    mutating func merge(_ other: SignalBucket, maxErrorCodes: Int) {
        self.requests += other.requests
        self.clientErrors += other.clientErrors
        self.serverErrors += other.serverErrors
        self.latency.merge(other.latency)
        for (code, count) in other.errorsByCode { self.errorsByCode.count(code, by: count, limit: maxErrorCodes) }
        self.cpuSeconds += other.cpuSeconds
        self.peakMemoryBytes = max(self.peakMemoryBytes, other.peakMemoryBytes)
        self.restarts += other.restarts
    }
}

extension [String: Int] {
    /// Where codes beyond the limit are counted.
    static let otherCode = "other"

    /// Counts `code`, or `other` when there are `limit` codes already.
    mutating func count(_ code: String, by amount: Int = 1, limit: Int) {
        if let position = self.index(forKey: code) {
            self.values[position] += amount
        } else {
            let codes = self.count - (self[Self.otherCode] == nil ? 0 : 1)
            self[codes < limit ? code : Self.otherCode, default: 0] += amount
        }
    }
}
