/// How a body is framed.
enum BodyFormat: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
    case untilClose
}

/// A body as far as it has come.
struct MessageBody: Sendable {
    var bytes: [UInt8] = []
    var trailers: [MessageHead.Field] = []
    /// The bytes it took on the wire.
    var length = 0
    var isComplete = false
    /// Its chunks cannot be told apart.
    var problem: String?

    init(_ wire: ArraySlice<UInt8>, format: BodyFormat, ended: Bool) {
        switch format {
        case .none:
            self.isComplete = true
        case .length(let length):
            self.bytes = Array(wire.prefix(length))
            self.length = self.bytes.count
            self.isComplete = self.length == length
        case .untilClose:
            self.bytes = Array(wire)
            self.length = wire.count
            self.isComplete = ended
        case .chunked:
            self.readChunks(wire)
        }
    }

    private mutating func readChunks(_ wire: ArraySlice<UInt8>) {
        var rest = wire
        while let line = Self.line(&rest) {
            guard line.hasReturn, (1...15).contains(line.text.count),
                let size = Int(CaseText.latin1(line.text), radix: 16), line.text.first != 0x2B, line.text.first != 0x2D
            else {
                self.problem = "'\(CaseText.readable(line.text))' is no size of a chunk"
                return
            }
            if size == 0 { return self.readTrailers(rest, from: wire.startIndex) }
            self.bytes += rest.prefix(size)
            guard rest.count >= size + 2 else { return }
            rest = rest.dropFirst(size)
            guard rest.starts(with: [0x0D, 0x0A]) else {
                self.problem = "a chunk does not end where its size says"
                return
            }
            rest = rest.dropFirst(2)
        }
    }

    private mutating func readTrailers(_ trailers: ArraySlice<UInt8>, from start: Int) {
        var rest = trailers
        while let line = Self.line(&rest) {
            guard line.hasReturn else {
                self.problem = "a line of the trailer section ends in a bare LF"
                return
            }
            if line.text.isEmpty {
                self.isComplete = true
                self.length = rest.startIndex - start
                return
            }
            let (field, isStrict) = MessageHead.field(line.text)
            if !isStrict { self.problem = "'\(CaseText.readable(line.text))' is no trailer field" }
            self.trailers.append(field)
        }
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) -> (text: ArraySlice<UInt8>, hasReturn: Bool)? {
        guard let lineFeed = rest.firstIndex(of: 0x0A) else { return nil }
        defer { rest = rest[(lineFeed + 1)...] }
        let hasReturn = lineFeed > rest.startIndex && rest[lineFeed - 1] == 0x0D
        return (rest[rest.startIndex..<(hasReturn ? lineFeed - 1 : lineFeed)], hasReturn)
    }
}
