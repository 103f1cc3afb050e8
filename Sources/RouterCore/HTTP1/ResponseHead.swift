/// What the router has to know about an instance's response.
struct ResponseHead {
    var status = 0
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.untilClose
    var connection = ConnectionOptions()
    var isEventStream = false
    /// Where the field lines start.
    var fieldsStart = 0

    /// Whether the instance keeps its connection.
    var isPersistent: Bool {
        self.minorVersion >= 1 ? !self.connection.close : self.connection.keepAlive && !self.connection.close
    }

    /// Parses a complete response head. Anything ambiguous is refused: a shared connection to an instance must not
    /// be read out of step.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, toHead: Bool, fields: inout ContiguousArray<HeadField>
    ) throws(HeadRefusal) -> ResponseHead {
        var head = ResponseHead()
        try head.parseStatusLine(bytes)
        try HeadField.parse(bytes, from: head.fieldsStart, malformed: .upstreamInvalid, into: &fields)
        try head.readFields(bytes, fields: fields, toHead: toHead)
        return head
    }

    private mutating func parseStatusLine(_ bytes: UnsafeRawBufferPointer) throws(HeadRefusal) {
        let malformed = HeadRefusal(.upstreamInvalid, "The instance's status line is malformed.")
        // Shorter than "HTTP/1.1 200" and two line ends, it cannot be one.
        guard bytes.count >= 16, UnsafeRawBufferPointer(rebasing: bytes[0..<7]).spells("http/1."),
            bytes[7] == 0x30 || bytes[7] == 0x31, bytes[8] == ByteClass.space
        else { throw malformed }
        self.minorVersion = bytes[7] - 0x30
        var status = 0
        for index in 9..<12 {
            guard ByteClass.isDigit(bytes[index]) else { throw malformed }
            status = status * 10 + Int(bytes[index] - 0x30)
        }
        guard status >= 100 else { throw malformed }
        self.status = status
        // Some servers leave out the space before an empty reason.
        guard bytes[12] == ByteClass.space || bytes[12] == ByteClass.carriageReturn else { throw malformed }
        var end = 12
        while ByteClass.isFieldValue(bytes[end]) { end += 1 }
        guard bytes[end] == ByteClass.carriageReturn, bytes[end + 1] == ByteClass.lineFeed else { throw malformed }
        self.fieldsStart = end + 2
    }

    private mutating func readFields(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, toHead: Bool
    ) throws(HeadRefusal) {
        var length: Int?
        var isChunked = false
        for index in fields.indices {
            let field = fields[index]
            switch field.kind {
            case .contentLength:
                guard let value = parseLength(bytes[field.value]), length == nil || length == value else {
                    throw HeadRefusal(.upstreamInvalid, "The instance's Content-Length is malformed.")
                }
                length = value
            case .transferEncoding:
                guard !isChunked, self.minorVersion >= 1, bytes[field.value].spells("chunked") else {
                    throw HeadRefusal(.upstreamInvalid, "The instance's Transfer-Encoding is not understood.")
                }
                isChunked = true
            case .connection:
                try self.connection.read(bytes[field.value], malformed: .upstreamInvalid)
            case .contentType:
                let type = bytes[field.value]
                self.isEventStream =
                    type.count >= 17 && UnsafeRawBufferPointer(rebasing: type[0..<17]).spells("text/event-stream")
            default:
                break
            }
        }
        if isChunked, length != nil {
            throw HeadRefusal(.upstreamInvalid, "The instance sent both a Content-Length and a Transfer-Encoding.")
        }
        if toHead || self.status < 200 || self.status == 204 || self.status == 304 {
            self.framing = .none
        } else if isChunked {
            self.framing = .chunked
        } else if let length {
            self.framing = length == 0 ? .none : .length(length)
        }
    }
}
