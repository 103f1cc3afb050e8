/// What a record says about a request, copied when the request is routed: its head is gone when the record is made.
struct RequestSummary {
    /// So much of a path is kept.
    static let pathLimit = 1024

    /// Method, host and path, one after the other. Its memory is used for one request after the other.
    private(set) var text: [UInt8] = []
    private(set) var methodLength = 0
    private(set) var hostLength = 0
    /// The trace's identifier; 0 for none.
    private(set) var trace: (high: UInt64, low: UInt64) = (0, 0)

    mutating func set(
        method: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer,
        trace: TraceContext
    ) {
        self.text.removeAll(keepingCapacity: true)
        self.text.append(contentsOf: method)
        self.text.append(contentsOf: host)
        // The query may hold secrets.
        let end = min(target.firstIndex(of: 0x3F) ?? target.count, Self.pathLimit)
        self.text.append(contentsOf: UnsafeRawBufferPointer(rebasing: target[0..<end]))
        self.trace = (trace.high, trace.low)
        self.methodLength = method.count
        self.hostLength = host.count
    }

    mutating func clear() {
        self.text.removeAll(keepingCapacity: true)
        self.trace = (0, 0)
        self.methodLength = 0
        self.hostLength = 0
    }
}
