/// A JSON value that knows on which line it stands.
///
/// People write `app.json` and `package.json` by hand; an error in one must name its line, which Foundation's decoder
/// does not do on every platform.
struct JSONNode: Sendable {
    indirect enum Value: Sendable {
        case null
        case bool(Bool)
        case number(Double)
        case string(String)
        case array([JSONNode])
        case object([(key: String, value: JSONNode)])
    }

    var value: Value
    var line: Int

    /// What kind of value it is, for messages.
    var kind: String {
        switch self.value {
        case .null: "null"
        case .bool: "a Boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The member called `key`, the last if there are several; nil for null.
    subscript(key: String) -> JSONNode? {
        guard case .object(let members) = self.value, let found = members.last(where: { $0.key == key })?.value else {
            return nil
        }
        if case .null = found.value { return nil }
        return found
    }

    var string: String? { if case .string(let string) = self.value { string } else { nil } }
    var members: [(key: String, value: JSONNode)]? {
        if case .object(let members) = self.value { members } else { nil }
    }
    var elements: [JSONNode]? { if case .array(let elements) = self.value { elements } else { nil } }
    var integer: Int? { if case .number(let number) = self.value { Int(exactly: number) } else { nil } }
}

/// A syntax error in a JSON text.
struct JSONSyntaxError: Error, CustomStringConvertible {
    var line: Int
    var problem: String
    var description: String { "line \(self.line): \(self.problem)" }
}

/// Reads strict JSON (RFC 8259).
struct JSONParser {
    private static let maximumDepth = 64

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var depth = 0

    static func parse(_ text: String) throws(JSONSyntaxError) -> JSONNode {
        var parser = JSONParser(bytes: Array(text.withoutByteOrderMark.utf8))
        let node = try parser.value()
        parser.skipSpace()
        if let byte = parser.peek { throw parser.error("expected the end of the file, found \(Self.shown(byte))") }
        return node
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var peek: UInt8? { self.index < self.bytes.count ? self.bytes[self.index] : nil }

    private func error(_ problem: String) -> JSONSyntaxError { JSONSyntaxError(line: self.line, problem: problem) }

    private static func shown(_ byte: UInt8?) -> String {
        guard let byte else { return "the end of the file" }
        return byte > 0x20 && byte < 0x7F ? "`\(Character(Unicode.Scalar(byte)))`" : "byte \(byte)"
    }

    private mutating func skipSpace() {
        while let byte = self.peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            if byte == 0x0A { self.line += 1 }
            self.index += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.peek == byte else { return false }
        self.index += 1
        return true
    }

    private mutating func value() throws(JSONSyntaxError) -> JSONNode {
        self.skipSpace()
        let line = self.line
        switch self.peek {
        case UInt8(ascii: "{"): return JSONNode(value: .object(try self.object()), line: line)
        case UInt8(ascii: "["): return JSONNode(value: .array(try self.array()), line: line)
        case UInt8(ascii: "\""): return JSONNode(value: .string(try self.string()), line: line)
        case UInt8(ascii: "t"): return JSONNode(value: try self.word("true", .bool(true)), line: line)
        case UInt8(ascii: "f"): return JSONNode(value: try self.word("false", .bool(false)), line: line)
        case UInt8(ascii: "n"): return JSONNode(value: try self.word("null", .null), line: line)
        case .some(let byte) where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
            return JSONNode(value: .number(try self.number()), line: line)
        case let other: throw self.error("expected a value, found \(Self.shown(other))")
        }
    }

    private mutating func word(
        _ word: StaticString, _ value: JSONNode.Value
    ) throws(JSONSyntaxError) -> JSONNode.Value {
        for byte in word.description.utf8 where !self.take(byte) {
            throw self.error("expected `\(word)`, found \(Self.shown(self.peek))")
        }
        return value
    }

    private mutating func number() throws(JSONSyntaxError) -> Double {
        let start = self.index
        while let byte = self.peek, "+-.eE0123456789".utf8.contains(byte) { self.index += 1 }
        let text = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        guard let number = Double(text) else { throw self.error("`\(text.abbreviated)` is no number") }
        return number
    }

    private mutating func nest() throws(JSONSyntaxError) {
        self.index += 1
        self.depth += 1
        guard self.depth <= Self.maximumDepth else {
            throw self.error("values are nested more than \(Self.maximumDepth) deep")
        }
    }

    private mutating func array() throws(JSONSyntaxError) -> [JSONNode] {
        try self.nest()
        defer { self.depth -= 1 }
        var elements: [JSONNode] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try self.value())
            self.skipSpace()
            if self.take(UInt8(ascii: "]")) { return elements }
            guard self.take(UInt8(ascii: ",")) else {
                throw self.error("expected `,` or `]` after a value, found \(Self.shown(self.peek))")
            }
        }
    }

    private mutating func object() throws(JSONSyntaxError) -> [(key: String, value: JSONNode)] {
        try self.nest()
        defer { self.depth -= 1 }
        var members: [(key: String, value: JSONNode)] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "}")) { return members }
        while true {
            self.skipSpace()
            guard self.peek == UInt8(ascii: "\"") else {
                throw self.error("expected a key in double quotes, found \(Self.shown(self.peek))")
            }
            let key = try self.string()
            self.skipSpace()
            guard self.take(UInt8(ascii: ":")) else {
                throw self.error("expected `:` after the key \"\(key.abbreviated)\", found \(Self.shown(self.peek))")
            }
            members.append((key, try self.value()))
            self.skipSpace()
            if self.take(UInt8(ascii: "}")) { return members }
            guard self.take(UInt8(ascii: ",")) else {
                throw self.error(
                    "expected `,` or `}` after the value of \"\(key.abbreviated)\", found \(Self.shown(self.peek))")
            }
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        self.index += 1
        var result: [UInt8] = []
        while let byte = self.peek {
            self.index += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"):
                result += Array(String(try self.escape()).utf8)
            case 0..<0x20:
                throw self.error("a string has a control character in it; is its closing quote missing?")
            default:
                result.append(byte)
            }
        }
        throw self.error("a string has no closing quote")
    }

    private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = self.peek else { throw self.error("a string has no closing quote") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try self.hexadecimal()
            if (0xD800...0xDBFF).contains(unit), self.take(UInt8(ascii: "\\")), self.take(UInt8(ascii: "u")) {
                let low = try self.hexadecimal()
                if (0xDC00...0xDFFF).contains(low) {
                    return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)) ?? "\u{FFFD}"
                }
                return "\u{FFFD}"
            }
            return Unicode.Scalar(unit) ?? "\u{FFFD}"
        default: throw self.error("a string has the unknown escape `\\\(Character(Unicode.Scalar(byte)))`")
        }
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard self.index + 4 <= self.bytes.count,
            let value = UInt32(String(decoding: self.bytes[self.index..<self.index + 4], as: UTF8.self), radix: 16)
        else { throw self.error("`\\u` needs four hexadecimal digits") }
        self.index += 4
        return value
    }
}
