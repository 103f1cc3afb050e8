/// Cuts a stream of bytes into lines, wherever the network cut it.
struct LineSplitter {
    private var partial: [UInt8] = []
    private let maximumLineBytes: Int

    init(maximumLineBytes: Int) {
        self.maximumLineBytes = maximumLineBytes
    }

    /// The lines that these bytes complete, without their ends; empty ones are left out.
    mutating func append(_ bytes: some Sequence<UInt8>) throws(ClientError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !self.partial.isEmpty { lines.append(self.partial) }
                self.partial.removeAll(keepingCapacity: true)
            } else {
                guard self.partial.count < self.maximumLineBytes else {
                    throw ClientError(.limit, "A line of the answer is longer than \(self.maximumLineBytes) bytes.")
                }
                self.partial.append(byte)
            }
        }
        return lines
    }

    /// What follows the last line end, if anything does.
    mutating func finish() -> [UInt8]? {
        defer { self.partial = [] }
        return self.partial.isEmpty ? nil : self.partial
    }
}
