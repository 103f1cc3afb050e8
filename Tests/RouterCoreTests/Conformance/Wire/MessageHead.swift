/// The head of a message as it came, with everything in it that RFC 9112 does not allow to be sent.
struct MessageHead: Sendable {
    struct Field: Sendable {
        var name: String
        var value: String
    }

    var firstLine = ""
    var fields: [Field] = []
    /// The bytes it took, with the empty line.
    var length = 0
    var problems: [String] = []

    /// Reads a head, as tolerantly as the most tolerant recipient would; nil while it is incomplete.
    init?(_ bytes: ArraySlice<UInt8>) {
        var lineStart = bytes.startIndex
        var isFirst = true
        while let lineFeed = bytes[lineStart...].firstIndex(of: 0x0A) {
            var line = bytes[lineStart..<lineFeed]
            if line.last == 0x0D { line.removeLast() } else { self.note("a line ends in a bare LF") }
            lineStart = lineFeed + 1
            if line.isEmpty, !isFirst {
                self.length = lineStart - bytes.startIndex
                return
            }
            if isFirst { self.firstLine = CaseText.latin1(line) } else { self.readField(line) }
            if line.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) {
                self.note("a line holds a control character")
            }
            isFirst = false
        }
        return nil
    }

    private mutating func note(_ problem: String) {
        if !self.problems.contains(problem) { self.problems.append(problem) }
    }

    private mutating func readField(_ line: ArraySlice<UInt8>) {
        let (field, isStrict) = Self.field(line)
        if !isStrict { self.note("'\(CaseText.latin1(line))' is no field line") }
        self.fields.append(field)
    }

    /// Splits a field line at its colon.
    static func field(_ line: ArraySlice<UInt8>) -> (Field, isStrict: Bool) {
        let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
        let name = line[..<colon]
        var value = line[colon...].dropFirst()
        while let first = value.first, first == 0x20 || first == 0x09 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        let isStrict = colon < line.endIndex && self.isToken(name)
        return (Field(name: CaseText.latin1(name), value: CaseText.latin1(value)), isStrict)
    }

    static func isToken(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    func values(_ name: String) -> [String] { self.fields.values(name) }

    func has(_ name: String, option: String) -> Bool {
        self.values(name).flatMap { $0.split(separator: ",") }.contains { element in
            element.filter { $0 != " " && $0 != "\t" }.lowercased() == option
        }
    }

    /// How the body is framed, when the head leaves no doubt; notes it when it does.
    mutating func framing(otherwise: BodyFormat) -> BodyFormat {
        let codings = self.values("Transfer-Encoding")
        let lengths = self.values("Content-Length")
        if !codings.isEmpty {
            if !lengths.isEmpty { self.note("both Content-Length and Transfer-Encoding") }
            if codings.count > 1 || codings[0].lowercased() != "chunked" { self.note("Transfer-Encoding: \(codings)") }
            return .chunked
        }
        guard let first = lengths.first else { return otherwise }
        guard lengths.count == 1, first.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(first) else {
            self.note("Content-Length: \(lengths)")
            return otherwise
        }
        return .length(length)
    }
}

extension [MessageHead.Field] {
    func values(_ name: String) -> [String] {
        let name = name.lowercased()
        return self.filter { $0.name.lowercased() == name }.map(\.value)
    }
}
