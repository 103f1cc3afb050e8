extension RequestHead {
    /// Parses a complete request head, as strictly as RFC 9112 allows: what two readers could take for two different
    /// requests is refused.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, fields: inout ContiguousArray<HeadField>
    ) throws(HeadRefusal) -> RequestHead {
        var head = RequestHead()
        let fieldsStart = try head.parseRequestLine(bytes)
        try HeadField.parse(bytes, from: fieldsStart, malformed: .badRequest, into: &fields)
        try head.readFields(bytes, fields: fields)
        return head
    }

    /// Returns where the first field line starts.
    private mutating func parseRequestLine(_ bytes: UnsafeRawBufferPointer) throws(HeadRefusal) -> Int {
        var position = 0
        while ByteClass.isToken(bytes[position]) { position += 1 }
        guard position > 0, position <= 32, bytes[position] == ByteClass.space else {
            throw HeadRefusal(.badRequest, "The request line does not start with a method and one space.")
        }
        self.methodRange = ByteRange(0, position)
        self.method = Self.method(bytes[self.methodRange])
        position += 1
        let targetStart = position
        while bytes[position] > 0x20, bytes[position] != 0x7F, bytes[position] != 0x23 { position += 1 }
        guard position > targetStart, bytes[position] == ByteClass.space else {
            throw HeadRefusal(.badRequest, "The request target is malformed.")
        }
        let target = ByteRange(targetStart, position)
        position += 1
        var end = position
        while bytes[end] != ByteClass.carriageReturn, bytes[end] != ByteClass.lineFeed { end += 1 }
        guard bytes[end + 1] == ByteClass.lineFeed else {
            throw HeadRefusal(.badRequest, "The request line holds a control character.")
        }
        try self.parseVersion(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
        try self.parseTarget(target, bytes)
        return end + 2
    }

    private static func method(_ name: UnsafeRawBufferPointer) -> Method {
        // Methods are case-sensitive, so that `get` is an unknown method.
        func equals(_ word: StaticString) -> Bool {
            name.count == word.utf8CodeUnitCount && name.indices.allSatisfy { name[$0] == word.utf8Start[$0] }
        }
        switch name.count {
        case 3: return equals("GET") ? .get : equals("PUT") ? .put : .other
        case 4: return equals("POST") ? .post : equals("HEAD") ? .head : .other
        case 6: return equals("DELETE") ? .delete : .other
        case 7: return equals("OPTIONS") ? .options : .other
        default: return .other
        }
    }

    private mutating func parseVersion(_ version: UnsafeRawBufferPointer) throws(HeadRefusal) {
        // "HTTP/" is case-sensitive as well.
        guard version.count == 8, version[0] == 0x48, version[1] == 0x54, version[2] == 0x54, version[3] == 0x50,
            version[4] == 0x2F, ByteClass.isDigit(version[5]), version[6] == 0x2E, ByteClass.isDigit(version[7])
        else {
            throw HeadRefusal(.badRequest, "The request line does not end in an HTTP version.")
        }
        guard version[5] == 0x31 else {
            throw HeadRefusal(.versionNotSupported, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        }
        self.minorVersion = version[7] == 0x30 ? 0 : 1
    }

    private mutating func parseTarget(_ target: ByteRange, _ bytes: UnsafeRawBufferPointer) throws(HeadRefusal) {
        let method = bytes[self.methodRange]
        if method.spells("connect") {
            throw HeadRefusal(.methodNotAllowed, "This is not a proxy for outgoing connections.")
        }
        if method.spells("trace") {
            throw HeadRefusal(.methodNotAllowed, "TRACE would show clients what the router adds to requests.")
        }
        let value = bytes[target]
        if value[0] == 0x2F {
            self.target = target
            return
        }
        if value.count == 1, value[0] == 0x2A, self.method == .options {
            self.target = target
            return
        }
        let scheme: Int
        if value.count > 7, UnsafeRawBufferPointer(rebasing: value[0..<7]).spells("http://") {
            scheme = 7
        } else if value.count > 8, UnsafeRawBufferPointer(rebasing: value[0..<8]).spells("https://") {
            scheme = 8
        } else {
            throw HeadRefusal(.badRequest, "The request target is neither a path nor an absolute http URL.")
        }
        var end = scheme
        while end < value.count, value[end] != 0x2F, value[end] != 0x3F { end += 1 }
        guard end > scheme else { throw HeadRefusal(.badRequest, "The request target names no host.") }
        self.isAbsoluteForm = true
        self.authority = ByteRange(Int(target.lower) + scheme, Int(target.lower) + end)
        self.target = ByteRange(Int(target.lower) + end, Int(target.upper))
    }
}
