/// Cuts a stream of bytes into lines.
///
/// Lines end at LF. A CR within a line restarts it, as on a terminal, so that a progress bar leaves its last state only.
/// A line that grows too long is cut, so that output without any newline cannot fill the memory.
struct LineSplitter {
    static let maximumLineLength = 10_000

    private var line: [UInt8] = []
    private var pendingReturn = false

    /// Takes bytes and returns the lines that they complete.
    mutating func append(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(self.take())
                continue
            }
            if byte == UInt8(ascii: "\r") {
                self.pendingReturn = true
                continue
            }
            if self.pendingReturn {
                self.line.removeAll(keepingCapacity: true)
                self.pendingReturn = false
            }
            // A NUL in the middle of a log breaks terminals and databases alike.
            if byte == 0 { continue }
            self.line.append(byte)
            if self.line.count >= Self.maximumLineLength { lines.append(self.take()) }
        }
        return lines
    }

    /// The rest, if the stream did not end with a newline.
    mutating func finish() -> String? {
        self.line.isEmpty ? nil : self.take()
    }

    private mutating func take() -> String {
        defer {
            self.line.removeAll(keepingCapacity: true)
            self.pendingReturn = false
        }
        return String(decoding: self.line, as: UTF8.self)
    }
}
