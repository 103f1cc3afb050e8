/// One header field, as offsets into the head it was parsed from.
struct HeadField {
    var name: ByteRange
    /// The value without the white space around it.
    var value: ByteRange
    /// From the first byte of the name to the end of the line's CRLF.
    var line: ByteRange
    var kind: KnownField

    /// Parses the field lines of a complete head.
    ///
    /// - Parameters:
    ///   - head: the whole head, ending in an empty line.
    ///   - start: where the first field line starts.
    ///   - fields: where the fields go; cleared first, its capacity kept from head to head.
    static func parse(
        _ head: UnsafeRawBufferPointer, from start: Int, malformed: RouterErrorCode,
        into fields: inout ContiguousArray<HeadField>
    ) throws(HeadRefusal) {
        fields.removeAll(keepingCapacity: true)
        var position = start
        let end = head.count - 2
        while position < end {
            let lineStart = position
            position = head.endOfToken(from: position)
            guard position > lineStart, head[position] == ByteClass.colon else {
                throw HeadRefusal(malformed, "A header field's name holds a character that is not allowed there.")
            }
            let nameEnd = position
            position += 1
            while head[position] == ByteClass.space || head[position] == ByteClass.tab { position += 1 }
            let valueStart = position
            position = head.endOfFieldValue(from: position)
            // The head ends in CRLFCRLF, so that there is always a byte after a carriage return.
            guard head[position] == ByteClass.carriageReturn, head[position + 1] == ByteClass.lineFeed else {
                throw HeadRefusal(malformed, "A header field's value holds a control character.")
            }
            var valueEnd = position
            while valueEnd > valueStart, head[valueEnd - 1] == ByteClass.space || head[valueEnd - 1] == ByteClass.tab {
                valueEnd -= 1
            }
            position += 2
            let name = ByteRange(lineStart, nameEnd)
            fields.append(
                HeadField(
                    name: name, value: ByteRange(valueStart, valueEnd), line: ByteRange(lineStart, position),
                    kind: KnownField.classify(head[name])))
        }
    }
}

/// What a message's `Connection` fields ask for.
struct ConnectionOptions {
    var close = false
    var keepAlive = false
    var upgrade = false
    /// Whether they name fields beyond those that are removed anyway.
    var namesFields = false

    /// Reads one `Connection` value.
    mutating func read(_ value: UnsafeRawBufferPointer, malformed: RouterErrorCode) throws(HeadRefusal) {
        var position = 0
        while position < value.count {
            var end = position
            while end < value.count, value[end] != 0x2C { end += 1 }
            let element = trim(value, from: position, to: end)
            position = end + 1
            if element.isEmpty { continue }
            guard element.allSatisfy(ByteClass.isToken) else {
                throw HeadRefusal(malformed, "The Connection field is malformed.")
            }
            if element.spells("close") {
                self.close = true
            } else if element.spells("keep-alive") {
                self.keepAlive = true
            } else if element.spells("upgrade") {
                self.upgrade = true
            } else {
                self.namesFields = true
            }
        }
    }

    /// Whether a `Connection` field of this head names `field`, which makes it meant for this hop alone.
    static func names(
        _ field: HeadField, in head: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>
    ) -> Bool {
        // What frames and addresses the message is never given up, whatever the sender says.
        switch field.kind {
        case .host, .contentLength, .transferEncoding: return false
        default: break
        }
        let name = head[field.name]
        for index in fields.indices where fields[index].kind == .connection {
            let value = head[fields[index].value]
            var position = 0
            while position < value.count {
                var end = position
                while end < value.count, value[end] != 0x2C { end += 1 }
                let element = trim(value, from: position, to: end)
                if element.count == name.count,
                    element.indices.allSatisfy({
                        ByteClass.lowercased(element[$0]) == ByteClass.lowercased(name[$0])
                    })
                {
                    return true
                }
                position = end + 1
            }
        }
        return false
    }
}

/// The bytes from `start` to `end` without spaces and tabs around them.
func trim(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> UnsafeRawBufferPointer {
    var lower = start
    var upper = end
    while lower < upper, bytes[lower] == ByteClass.space || bytes[lower] == ByteClass.tab { lower += 1 }
    while upper > lower, bytes[upper - 1] == ByteClass.space || bytes[upper - 1] == ByteClass.tab { upper -= 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[lower..<upper])
}

/// A `Content-Length`: digits alone, and few enough that the number cannot overflow.
func parseLength(_ value: UnsafeRawBufferPointer) -> Int? {
    guard !value.isEmpty, value.count <= 18 else { return nil }
    var length = 0
    for byte in value {
        guard ByteClass.isDigit(byte) else { return nil }
        length = length * 10 + Int(byte - 0x30)
    }
    return length
}
