/// Walks through a body in the chunked coding and says which runs of its bytes to pass on.
///
/// The framing is checked digit by digit and passed on as it came, so that a large body costs no copy. Extensions are
/// dropped, because readers disagree about them. Trailer fields are checked like header fields; those that would say
/// something about framing, routing or the client are dropped.
struct ChunkedScanner {
    enum Output {
        /// Pass on everything between sizes and data as one stream of chunks.
        case chunks
        /// Pass on the data alone, for a reader that does not know the coding.
        case payload
    }

    enum Segment: Equatable {
        /// Pass on this many bytes.
        case pass(Int)
        /// Leave out this many bytes.
        case skip(Int)
        /// This many bytes are a line of the trailer section, for a reader that does not know the coding.
        case trailer(Int)
        /// More input is needed.
        case incomplete
        /// The next two bytes are the line end after which the body ends.
        case end
    }

    private enum State {
        case size, sizeLineFeed, extensions, data, dataReturn, dataLineFeed, trailers
    }

    /// A chunk's extensions may be this long.
    static let extensionLimit = 256
    /// The trailer section may be this long.
    static let trailerLimit = 8192

    private var state = State.size
    private var digits = 0
    private var remaining = 0
    private var extensionLength = 0
    private var trailerLength = 0
    /// The bytes of data seen so far.
    private(set) var payload = 0

    let malformed: RouterErrorCode

    init(malformed: RouterErrorCode) {
        self.malformed = malformed
    }

    /// The next run at the start of `bytes`. The caller takes that many bytes away and asks again.
    mutating func next(_ bytes: UnsafeRawBufferPointer, output: Output) throws(HeadRefusal) -> Segment {
        var position = 0
        let passesFraming = output == .chunks
        while position < bytes.count {
            switch self.state {
            case .data:
                let count = min(self.remaining, bytes.count - position)
                if !passesFraming, position > 0 { return .skip(position) }
                self.remaining -= count
                self.payload += count
                position += count
                if self.remaining == 0 { self.state = .dataReturn }
                if !passesFraming { return .pass(position) }
            case .extensions:
                if passesFraming, position > 0 { return .pass(position) }
                return try self.skipExtensions(bytes, from: position)
            case .trailers:
                if position > 0 { return passesFraming ? .pass(position) : .skip(position) }
                return try self.trailerLine(bytes, passesFraming: passesFraming)
            default:
                // An extension starts at its semicolon, which is left out with it.
                if try self.framing(bytes[position]) { position += 1 }
            }
        }
        if position == 0 { return .incomplete }
        return passesFraming ? .pass(position) : .skip(position)
    }

    /// One byte of framing; false when it was not consumed.
    private mutating func framing(_ byte: UInt8) throws(HeadRefusal) -> Bool {
        switch self.state {
        case .size:
            if let digit = ByteClass.hexValue(byte) {
                guard self.digits < 15 else { throw HeadRefusal(self.malformed, "A chunk's size is too large.") }
                self.digits += 1
                self.remaining = self.remaining << 4 | Int(digit)
                return true
            }
            guard self.digits > 0 else { throw HeadRefusal(self.malformed, "A chunk's size is missing.") }
            if byte == ByteClass.carriageReturn {
                self.state = .sizeLineFeed
                return true
            }
            guard byte == 0x3B else { throw HeadRefusal(self.malformed, "A chunk's size is malformed.") }
            self.state = .extensions
            self.extensionLength = 0
            return false
        case .sizeLineFeed:
            guard byte == ByteClass.lineFeed else { throw HeadRefusal(self.malformed, "A chunk's size is malformed.") }
            self.digits = 0
            self.state = self.remaining == 0 ? .trailers : .data
        case .dataReturn:
            guard byte == ByteClass.carriageReturn else {
                throw HeadRefusal(self.malformed, "A chunk is longer than its size.")
            }
            self.state = .dataLineFeed
        default:
            guard byte == ByteClass.lineFeed else {
                throw HeadRefusal(self.malformed, "A chunk is longer than its size.")
            }
            self.state = .size
        }
        return true
    }

    private mutating func skipExtensions(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(HeadRefusal) -> Segment {
        var position = start
        while position < bytes.count, ByteClass.isFieldValue(bytes[position]) {
            position += 1
            self.extensionLength += 1
            guard self.extensionLength <= Self.extensionLimit else {
                throw HeadRefusal(self.malformed, "A chunk's extensions are too long.")
            }
        }
        if position < bytes.count {
            guard bytes[position] == ByteClass.carriageReturn else {
                throw HeadRefusal(self.malformed, "A chunk's extensions hold a control character.")
            }
            // The CRLF that ends the size line is passed on as usual.
            self.state = .size
        }
        return .skip(position)
    }

    private mutating func trailerLine(
        _ bytes: UnsafeRawBufferPointer, passesFraming: Bool
    ) throws(HeadRefusal) -> Segment {
        var end = 0
        while end < bytes.count, bytes[end] != ByteClass.lineFeed {
            end += 1
            guard self.trailerLength + end <= Self.trailerLimit else {
                throw HeadRefusal(self.malformed, "The trailer section is too long.")
            }
        }
        guard end < bytes.count else { return .incomplete }
        guard end > 0, bytes[end - 1] == ByteClass.carriageReturn else {
            throw HeadRefusal(self.malformed, "A line ends without a carriage return.")
        }
        self.trailerLength += end + 1
        if end == 1 { return .end }
        guard try Self.isTrailerAllowed(bytes, end: end - 1, malformed: self.malformed) else { return .skip(end + 1) }
        return passesFraming ? .pass(end + 1) : .trailer(end + 1)
    }

    /// Whether a field line up to `end` may come in a trailer section.
    static func isTrailerAllowed(
        _ line: UnsafeRawBufferPointer, end: Int, malformed: RouterErrorCode
    ) throws(HeadRefusal) -> Bool {
        var position = 0
        while ByteClass.isToken(line[position]) { position += 1 }
        guard position > 0, line[position] == ByteClass.colon else {
            throw HeadRefusal(malformed, "A trailer field is malformed.")
        }
        let name = UnsafeRawBufferPointer(rebasing: line[0..<position])
        for index in position..<end where !ByteClass.isFieldValue(line[index]) {
            throw HeadRefusal(malformed, "A trailer field holds a control character.")
        }
        return KnownField.classify(name) == .other
    }
}
