/// An element of a small XML document: what S3 answers with.
///
/// Foundation's reader would bring libxml2 into every program that stores slugs, for documents of five kinds of elements;
/// this one reads those, and refuses what they do not have: document types, entities of one's own, CDATA.
struct XMLElement: Equatable, Sendable {
    var name: String
    var text = ""
    var children: [XMLElement] = []

    /// The first child of that name.
    subscript(_ name: String) -> XMLElement? { self.children.first { $0.name == name } }

    struct Malformed: Error, Equatable {
        var what: String
        var offset: Int
    }

    static let maximumDepth = 16
    static let maximumElements = 50_000

    /// Reads a document.
    init(parsing bytes: [UInt8]) throws(Malformed) {
        var reader = XMLReader(bytes)
        self = try reader.document()
    }

    init(_ name: String) { self.name = name }
}

private struct XMLReader {
    private let bytes: [UInt8]
    private var offset = 0
    private var elements = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { self.offset = 3 }
    }

    mutating func document() throws(XMLElement.Malformed) -> XMLElement {
        try self.skipMisc()
        guard self.peek() == UInt8(ascii: "<") else { throw self.malformed("does not begin with an element") }
        let root = try self.element(depth: 1)
        try self.skipMisc()
        guard self.offset == self.bytes.count else { throw self.malformed("goes on after its end") }
        return root
    }

    private mutating func element(depth: Int) throws(XMLElement.Malformed) -> XMLElement {
        guard depth <= XMLElement.maximumDepth else { throw self.malformed("is nested too deeply") }
        self.elements += 1
        guard self.elements <= XMLElement.maximumElements else { throw self.malformed("has too many elements") }
        try self.expect("<")
        var element = XMLElement(try self.name())
        while true {
            let hadSpace = self.skipSpace()
            if self.accept("/>") { return element }
            if self.accept(">") { break }
            guard hadSpace else { throw self.malformed("has a tag that does not end") }
            try self.attribute()
        }
        var text: [UInt8] = []
        while true {
            guard let byte = self.peek() else { throw self.malformed("ends within \(element.name)") }
            if self.accept("</") {
                guard try self.name() == element.name else { throw self.malformed("closes another element") }
                self.skipSpace()
                try self.expect(">")
                break
            } else if self.accept("<!--") {
                try self.skip(past: "-->")
            } else if byte == UInt8(ascii: "<") {
                element.children.append(try self.element(depth: depth + 1))
            } else if byte == UInt8(ascii: "&") {
                text += try self.entity()
            } else {
                text.append(byte)
                self.offset += 1
            }
        }
        guard let decoded = String(validating: text, as: UTF8.self) else { throw self.malformed("is not UTF-8") }
        element.text = decoded
        return element
    }

    private mutating func name() throws(XMLElement.Malformed) -> String {
        let start = self.offset
        while let byte = self.peek(),
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":")].contains(byte)
        {
            self.offset += 1
        }
        guard self.offset > start else { throw self.malformed("has an element without a name") }
        return String(decoding: self.bytes[start..<self.offset], as: UTF8.self)
    }

    private mutating func attribute() throws(XMLElement.Malformed) {
        _ = try self.name()
        self.skipSpace()
        try self.expect("=")
        self.skipSpace()
        guard let quote = self.peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw self.malformed("has an attribute without quotes")
        }
        self.offset += 1
        try self.skip(past: quote == UInt8(ascii: "\"") ? "\"" : "'")
    }

    private mutating func entity() throws(XMLElement.Malformed) -> [UInt8] {
        guard let end = self.bytes[self.offset...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw self.malformed("has an entity that does not end")
        }
        let name = String(decoding: self.bytes[(self.offset + 1)..<end], as: UTF8.self)
        let scalar: Unicode.Scalar? =
            switch name {
            case "lt": "<"
            case "gt": ">"
            case "amp": "&"
            case "quot": "\""
            case "apos": "'"
            case _ where name.hasPrefix("#x"): UInt32(name.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
            case _ where name.hasPrefix("#"): UInt32(name.dropFirst()).flatMap { Unicode.Scalar($0) }
            default: nil
            }
        guard let scalar else { throw self.malformed("has an unknown entity") }
        self.offset = end + 1
        return Array(String(scalar).utf8)
    }

    private mutating func skipMisc() throws(XMLElement.Malformed) {
        while true {
            self.skipSpace()
            if self.accept("<?") {
                try self.skip(past: "?>")
            } else if self.accept("<!--") {
                try self.skip(past: "-->")
            } else {
                return
            }
        }
    }

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = self.offset
        while let byte = self.peek(), [0x20, 0x09, 0x0a, 0x0d].contains(byte) { self.offset += 1 }
        return self.offset > start
    }

    private mutating func skip(past text: StaticString) throws(XMLElement.Malformed) {
        while self.offset < self.bytes.count {
            if self.accept(text) { return }
            self.offset += 1
        }
        throw self.malformed("ends too early")
    }

    private func peek() -> UInt8? { self.offset < self.bytes.count ? self.bytes[self.offset] : nil }

    private mutating func accept(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            guard self.bytes[self.offset...].starts(with: text) else { return false }
            self.offset += text.count
            return true
        }
    }

    private mutating func expect(_ text: StaticString) throws(XMLElement.Malformed) {
        guard self.accept(text) else { throw self.malformed("lacks \(text)") }
    }

    private func malformed(_ what: String) -> XMLElement.Malformed {
        XMLElement.Malformed(what: what, offset: self.offset)
    }
}
