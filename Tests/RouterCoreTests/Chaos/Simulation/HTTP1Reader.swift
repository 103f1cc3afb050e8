import NIOCore

/// Reads HTTP/1 messages as strictly as a test can: whatever is not exactly right is malformed.
struct HTTP1Reader {
    enum Event {
        /// The caller says what follows (``HTTP1Reader/expect(_:)``).
        case head(String)
        case body(ByteBuffer)
        case end
        case malformed(String)
    }

    enum Framing: Equatable { case none, length(Int), chunked, untilClose }

    private enum State { case head, length(Int), chunkSize, chunk(Int), chunkEnd, trailers, untilClose, end }

    private var input = ByteBuffer()
    private var state = State.head

    /// Whether a message has been begun and has not ended.
    var isInside: Bool {
        if case .head = self.state { return self.input.readableBytes > 0 }
        return true
    }
    var isInBody: Bool {
        if case .head = self.state { return false }
        return true
    }
    var unread: Int { self.input.readableBytes }

    mutating func append(_ bytes: ByteBuffer) {
        self.input.discardReadBytes()
        self.input.writeImmutableBuffer(bytes)
    }

    mutating func expect(_ framing: Framing) {
        switch framing {
        case .none: self.state = .end
        case .length(let length): self.state = length == 0 ? .end : .length(length)
        case .chunked: self.state = .chunkSize
        case .untilClose: self.state = .untilClose
        }
    }

    /// The sender has ended; whether that is the end of the message.
    mutating func finish() -> Bool {
        guard case .untilClose = self.state else { return !self.isInside }
        self.state = .end
        return true
    }

    mutating func next() -> Event? {
        switch self.state {
        case .head:
            guard let head = self.line(endingWith: "\r\n\r\n") else { return nil }
            return .head(head)
        case .length(let left):
            guard let bytes = self.take(left) else { return nil }
            self.state = left == bytes.readableBytes ? .end : .length(left - bytes.readableBytes)
            return .body(bytes)
        case .chunkSize:
            guard let line = self.line(endingWith: "\r\n") else { return nil }
            guard let size = Int(line.dropLast(1), radix: 16) else { return .malformed("chunk size '\(line)'") }
            self.state = size == 0 ? .trailers : .chunk(size)
            return self.next()
        case .chunk(let left):
            guard let bytes = self.take(left) else { return nil }
            self.state = left == bytes.readableBytes ? .chunkEnd : .chunk(left - bytes.readableBytes)
            return .body(bytes)
        case .chunkEnd:
            guard self.input.readableBytes >= 2 else { return nil }
            guard self.input.readString(length: 2) == "\r\n" else { return .malformed("chunk without an end") }
            self.state = .chunkSize
            return self.next()
        case .trailers:
            guard let line = self.line(endingWith: "\r\n") else { return nil }
            if line != "\r\n" { return self.next() }
            self.state = .end
            return self.next()
        case .untilClose:
            return self.take(.max).map { .body($0) }
        case .end:
            self.state = .head
            return .end
        }
    }

    private mutating func take(_ limit: Int) -> ByteBuffer? {
        let count = min(limit, self.input.readableBytes)
        return count > 0 ? self.input.readSlice(length: count) : nil
    }

    private mutating func line(endingWith mark: String) -> String? {
        let view = self.input.readableBytesView
        guard let range = view.firstRange(of: Array(mark.utf8)) else { return nil }
        return self.input.readString(length: range.upperBound - view.startIndex)
    }
}

extension String {
    /// The value of a field in a message's head.
    func field(_ name: String) -> String? {
        for line in self.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name { return parts[1].drop { $0 == " " }.description }
        }
        return nil
    }

    var number: Int? { self.field("x-number").flatMap { Int($0) } }
    var status: Int { Int(self.dropFirst(9).prefix(3)) ?? 0 }
}
