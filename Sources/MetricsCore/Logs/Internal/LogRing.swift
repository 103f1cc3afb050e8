internal import DequeModule

/// The newest lines of an application, bounded in number and bytes.
struct LogRing {
    private var lines: Deque<LogLine> = []
    private var bytes = 0
    let maxLines: Int
    let maxBytes: Int

    init(maxLines: Int, maxBytes: Int) {
        self.maxLines = maxLines
        self.maxBytes = maxBytes
    }

    var count: Int { self.lines.count }

    mutating func append(_ line: LogLine) {
        self.lines.append(line)
        self.bytes += line.text.utf8.count
        while self.lines.count > self.maxLines || (self.bytes > self.maxBytes && self.lines.count > 1) {
            self.bytes -= self.lines.removeFirst().text.utf8.count
        }
    }

    /// The last `limit` lines that pass `filter` and come after the sequence number `after`, oldest first.
    func last(_ limit: Int, after: UInt64 = 0, filter: LogFilter) -> [LogLine] {
        guard limit > 0 else { return [] }
        var result: [LogLine] = []
        for line in self.lines.reversed() {
            if line.sequence <= after { break }
            guard filter.matches(line) else { continue }
            result.append(line)
            if result.count == limit { break }
        }
        result.reverse()
        return result
    }
}
