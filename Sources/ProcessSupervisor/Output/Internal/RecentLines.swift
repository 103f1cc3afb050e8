import DequeModule

/// The last lines of an instance.
struct RecentLines {
    private let limit: Int
    private var lines: Deque<String> = []
    private var continuesLast = false
    /// A line that was cut into pieces is put together again, up to this many bytes.
    private static let longest = 10_000

    init(limit: Int) { self.limit = max(limit, 1) }

    mutating func append(_ line: LineSplitter.Line) {
        if self.continuesLast, let last = self.lines.last, last.utf8.count + line.text.utf8.count <= Self.longest {
            self.lines[self.lines.count - 1] = last + line.text
        } else {
            if self.lines.count == self.limit { self.lines.removeFirst() }
            self.lines.append(line.text)
        }
        self.continuesLast = line.isPartial
    }

    func last(_ count: Int) -> [String] { Array(self.lines.suffix(count)) }
}
