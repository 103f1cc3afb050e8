#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Cuts a stream of bytes into lines of bounded length.
struct LineSplitter {
    struct Line: Equatable {
        var text: String
        var isPartial: Bool
    }

    private let limit: Int
    private var pending: [UInt8] = []

    /// - Parameter limit: bytes of a line, at least 4 so that every UTF-8 character fits.
    init(limit: Int) { self.limit = max(limit, 4) }

    /// Whether a line has begun and not ended.
    var hasPending: Bool { !self.pending.isEmpty }

    mutating func append(_ bytes: some Sequence<UInt8>, into lines: inout [Line]) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { self.append($0, into: &lines) }
        if isDone == nil { Array(bytes).withUnsafeBufferPointer { self.append($0, into: &lines) } }
    }

    private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, into lines: inout [Line]) {
        guard let base = bytes.baseAddress else { return }
        var index = 0
        while index < bytes.count {
            // Byte by byte, a flood would cost several times as much.
            let found = memchr(base + index, 0x0a, bytes.count - index)
            let end = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? bytes.count
            if found != nil, self.pending.isEmpty, end - index <= self.limit {
                // Most lines come whole, and need not be put together.
                var text = bytes[index..<end]
                if text.last == UInt8(ascii: "\r") { text.removeLast() }
                let whole = UnsafeBufferPointer(rebasing: text)
                lines.append(Line(text: String(decoding: whole, as: UTF8.self), isPartial: false))
                index = end + 1
                continue
            }
            self.append(UnsafeBufferPointer(start: base + index, count: end - index), ofOneLineInto: &lines)
            if found != nil { self.take(self.pending.count, isPartial: false, into: &lines) }
            index = end + 1
        }
    }

    private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, ofOneLineInto lines: inout [Line]) {
        var index = 0
        while index < bytes.count {
            if self.pending.count == self.limit {
                self.take(self.endOfWholeCharacters(), isPartial: true, into: &lines)
            }
            let count = min(self.limit - self.pending.count, bytes.count - index)
            self.pending.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[index..<index + count]))
            index += count
        }
    }

    /// What is there of a line whose end does not come. An unfinished character at its end is kept back.
    mutating func flushPartial(into lines: inout [Line]) {
        let end = self.endOfWholeCharacters()
        if end > 0 { self.take(end, isPartial: true, into: &lines) }
    }

    /// The last line, when nothing more can come.
    mutating func finish(into lines: inout [Line]) {
        if self.hasPending { self.take(self.pending.count, isPartial: false, into: &lines) }
    }

    private mutating func take(_ count: Int, isPartial: Bool, into lines: inout [Line]) {
        var text = self.pending.prefix(count)
        if !isPartial, text.last == UInt8(ascii: "\r") { text.removeLast() }
        lines.append(Line(text: String(decoding: text, as: UTF8.self), isPartial: isPartial))
        if count == self.pending.count {
            self.pending.removeAll(keepingCapacity: true)
        } else {
            self.pending.removeFirst(count)
        }
    }

    /// The length up to a character that has only begun; the whole when the bytes are no UTF-8 anyway.
    private func endOfWholeCharacters() -> Int {
        let count = self.pending.count
        for back in 1...4 where back <= count {
            let byte = self.pending[count - back]
            if byte & 0b1100_0000 == 0b1000_0000 { continue }  // inside a character: look further back
            let length =
                switch byte {
                case 0b1100_0000...0b1101_1111: 2
                case 0b1110_0000...0b1110_1111: 3
                case 0b1111_0000...0b1111_0111: 4
                default: 1
                }
            return length > back ? count - back : count
        }
        return count
    }
}
