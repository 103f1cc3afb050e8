/// Reads messages as strictly as the RFCs let it, with no code of the router's: what it forwards has one reading.
struct StrictReader {
    struct Message: Equatable, CustomStringConvertible {
        var head: String
        var body: [UInt8] = []
        var trailers = ""
        var description: String { "\(self.head)|\(String(decoding: self.body, as: UTF8.self))|\(self.trailers)" }
    }

    enum Kind { case request, response(toHead: Bool) }
    struct Malformed: Error { var what: String }

    private(set) var messages: [Message] = []
    private let kind: Kind
    private var rest: [UInt8] = []
    private var current: Message?
    private var framing = Framing.none
    /// A response with 101 was read: what follows is not HTTP.
    private(set) var isTunnel = false

    private enum Framing { case none, length(Int), chunks, trailers, untilEnd }

    init(_ kind: Kind) { self.kind = kind }

    /// Whether a message has begun and not ended.
    var isInside: Bool { self.current != nil || !self.rest.isEmpty }
    var hasBody: Bool { self.current != nil }

    mutating func read(_ bytes: some Sequence<UInt8>) throws {
        self.rest += bytes
        while !self.isTunnel, try self.step() {}
    }

    /// The connection has ended.
    mutating func end() {
        if case .untilEnd = self.framing, let message = self.current { self.finish(message) }
    }

    private mutating func finish(_ message: Message) {
        self.messages.append(message)
        self.current = nil
        self.framing = .none
    }

    private mutating func step() throws -> Bool {
        guard var message = self.current else { return try self.readHead() }
        switch self.framing {
        case .none: self.finish(message)
        case .length(let left):
            let count = min(left, self.rest.count)
            message.body += self.rest[..<count]
            self.rest.removeFirst(count)
            self.current = message
            self.framing = .length(left - count)
            if left > count { return false }
            self.finish(message)
        case .chunks:
            guard let line = self.line(at: 0) else { return false }
            let digits = self.rest[..<line]
            guard !digits.isEmpty, digits.count <= 16,
                let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                digits.allSatisfy({ $0 != 0x2B && $0 != 0x2D })
            else { throw Malformed(what: "chunk size '\(String(decoding: digits, as: UTF8.self))'") }
            if size == 0 {
                self.rest.removeFirst(line + 2)
                self.framing = .trailers
                return true
            }
            guard self.rest.count >= line + 2 + size + 2 else { return false }
            message.body += self.rest[(line + 2)..<(line + 2 + size)]
            guard self.rest[line + 2 + size] == 13, self.rest[line + 3 + size] == 10 else {
                throw Malformed(what: "chunk's end")
            }
            self.rest.removeFirst(line + 2 + size + 2)
            self.current = message
        case .trailers:
            guard let line = self.line(at: 0) else { return false }
            let text = Array(self.rest[..<line])
            self.rest.removeFirst(line + 2)
            if text.isEmpty {
                self.finish(message)
            } else {
                _ = try Self.field(text)
                message.trailers += String(decoding: text, as: UTF8.self) + "\n"
                self.current = message
            }
        case .untilEnd:
            message.body += self.rest
            self.rest = []
            self.current = message
            return false
        }
        return true
    }

    /// Where the line ends that starts there.
    private func line(at start: Int) -> Int? {
        var index = start
        while index + 1 < self.rest.count {
            if self.rest[index] == 13, self.rest[index + 1] == 10 { return index }
            index += 1
        }
        return nil
    }

    private mutating func readHead() throws -> Bool {
        guard !self.rest.isEmpty else { return false }
        var lines: [[UInt8]] = []
        var start = 0
        while let end = self.line(at: start), end > start {
            lines.append(Array(self.rest[start..<end]))
            start = end + 2
        }
        guard let end = self.line(at: start), end == start else { return false }
        self.rest.removeFirst(end + 2)
        guard let first = lines.first else { throw Malformed(what: "an empty head") }
        let fields = try lines.dropFirst().map(Self.field)
        let lengths = fields.filter { $0.name == "content-length" }
        let codings = fields.filter { $0.name == "transfer-encoding" }
        guard lengths.count <= 1, codings.count <= 1, lengths.isEmpty || codings.isEmpty else {
            throw Malformed(what: "lengths that contradict")
        }
        guard codings.allSatisfy({ $0.value.lowercased() == "chunked" }) else {
            throw Malformed(what: "transfer coding")
        }
        let length = try lengths.first.map { field -> Int in
            guard !field.value.isEmpty, field.value.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
                let length = Int(field.value)
            else { throw Malformed(what: "length '\(field.value)'") }
            return length
        }
        self.current = Message(head: lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"))
        switch self.kind {
        case .request:
            try Self.checkRequestLine(first)
            guard fields.count(where: { $0.name == "host" }) == 1 else { throw Malformed(what: "hosts") }
            self.framing = codings.isEmpty ? length.map { .length($0) } ?? .none : .chunks
        case .response(let toHead):
            let status = try Self.status(first)
            if status == 101 {
                self.isTunnel = true
                self.framing = .none
            } else if toHead && status >= 200 || status < 200 || status == 204 || status == 304 {
                self.framing = .none
            } else {
                self.framing = codings.isEmpty ? length.map { .length($0) } ?? .untilEnd : .chunks
            }
        }
        return true
    }

    private static func checkRequestLine(_ line: [UInt8]) throws {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, words[0].allSatisfy(self.isToken), !words[0].isEmpty, !words[1].isEmpty,
            words[1].allSatisfy({ 0x21...0x7E ~= $0 || $0 >= 0x80 }), words[2].elementsEqual("HTTP/1.1".utf8)
        else { throw Malformed(what: "request line '\(String(decoding: line, as: UTF8.self))'") }
    }

    private static func status(_ line: [UInt8]) throws -> Int {
        guard line.count >= 13, line.starts(with: "HTTP/1.1 ".utf8), line[12] == 0x20,
            let status = Int(String(decoding: line[9..<12], as: UTF8.self)), status >= 100
        else { throw Malformed(what: "status line '\(String(decoding: line, as: UTF8.self))'") }
        return status
    }

    private static func field(_ line: [UInt8]) throws -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: 0x3A), colon > 0, line[..<colon].allSatisfy(self.isToken),
            line.allSatisfy({ $0 != 0 && $0 != 10 && $0 != 13 })
        else { throw Malformed(what: "field '\(String(decoding: line, as: UTF8.self))'") }
        var value = line[(colon + 1)...]
        while let byte = value.first, byte == 0x20 || byte == 9 { value.removeFirst() }
        while let byte = value.last, byte == 0x20 || byte == 9 { value.removeLast() }
        return (
            String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self)
        )
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
