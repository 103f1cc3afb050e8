extension RequestHead {
    /// Takes from the parsed fields what decides about the request.
    mutating func readFields(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>
    ) throws(HeadRefusal) {
        var hostField: ByteRange?
        var length: Int?
        var isChunked = false
        var upgradeField: ByteRange?
        for index in fields.indices {
            let field = fields[index]
            switch field.kind {
            case .host:
                guard hostField == nil else { throw HeadRefusal(.badRequest, "There is more than one Host field.") }
                hostField = field.value
            case .contentLength:
                guard length == nil else {
                    throw HeadRefusal(.badRequest, "There is more than one Content-Length field.")
                }
                guard let value = parseLength(bytes[field.value]) else {
                    throw HeadRefusal(.badRequest, "The Content-Length is not a number.")
                }
                length = value
            case .transferEncoding:
                guard !isChunked, bytes[field.value].spells("chunked") else {
                    throw HeadRefusal(.badRequest, "The only Transfer-Encoding understood is a single 'chunked'.")
                }
                isChunked = true
            case .connection:
                try self.connection.read(bytes[field.value], malformed: .badRequest)
            case .expect:
                guard bytes[field.value].spells("100-continue") else {
                    throw HeadRefusal(.expectationFailed, "The only expectation that can be met is 100-continue.")
                }
                self.expectsContinue = self.minorVersion >= 1
            case .upgrade:
                // A list of protocols in several lines is rare; without the upgrade the request is an ordinary one.
                upgradeField = upgradeField == nil ? field.value : ByteRange.empty
            case .idempotencyKey:
                self.hasIdempotencyKey = true
            case .transferCodings:
                if bytes[field.value].spells("trailers") { self.acceptsTrailers = true }
            case .contentType:
                if bytes[field.value].count >= 16 {
                    self.isGRPC = UnsafeRawBufferPointer(rebasing: bytes[field.value][0..<16]).spells(
                        "application/grpc")
                }
            case .traceParent:
                self.trace.read(bytes[field.value])
            case .maxForwards:
                // A value that is no number is left for who knows what it means.
                if self.method == .options { self.maxForwards = parseLength(bytes[field.value]) }
            default:
                break
            }
        }
        if self.connection.namesFields { self.dropNamed(bytes, fields) }
        try self.decideFraming(length: length, isChunked: isChunked)
        try self.decideHost(bytes, field: hostField)
        if let upgradeField, !upgradeField.isEmpty {
            self.upgrade =
                self.connection.upgrade && self.minorVersion >= 1 && self.framing == .none
                && !Self.offersHTTP2(bytes[upgradeField])
        }
    }

    /// What is meant for this hop alone the instance does not see, so the router must not go by it either.
    private mutating func dropNamed(_ bytes: UnsafeRawBufferPointer, _ fields: borrowing ContiguousArray<HeadField>) {
        for index in fields.indices {
            switch fields[index].kind {
            case .traceParent:
                if ConnectionOptions.names(fields[index], in: bytes, fields: fields) { self.trace.drop() }
            case .idempotencyKey:
                if ConnectionOptions.names(fields[index], in: bytes, fields: fields) { self.hasIdempotencyKey = false }
            default: break
            }
        }
    }

    private mutating func decideFraming(length: Int?, isChunked: Bool) throws(HeadRefusal) {
        if isChunked {
            guard length == nil else {
                throw HeadRefusal(.badRequest, "There is both a Content-Length and a Transfer-Encoding.")
            }
            guard self.minorVersion >= 1 else {
                throw HeadRefusal(.badRequest, "HTTP/1.0 has no Transfer-Encoding.")
            }
            self.framing = .chunked
        } else if let length {
            self.framing = length == 0 ? .none : .length(length)
        }
    }

    private mutating func decideHost(_ bytes: UnsafeRawBufferPointer, field: ByteRange?) throws(HeadRefusal) {
        guard let field else {
            guard self.minorVersion == 0 else { throw HeadRefusal(.badRequest, "There is no Host field.") }
            if self.isAbsoluteForm { self.host = try Self.hostPart(self.authority, bytes) }
            return
        }
        if self.isAbsoluteForm {
            let authority = bytes[self.authority]
            let named = bytes[field]
            guard authority.count == named.count,
                authority.indices.allSatisfy({
                    ByteClass.lowercased(authority[$0]) == ByteClass.lowercased(named[$0])
                })
            else {
                throw HeadRefusal(.badRequest, "The request target and the Host field name different hosts.")
            }
        } else {
            self.authority = field
        }
        self.host = try Self.hostPart(self.authority, bytes)
    }

    /// Checks a host with an optional port and returns the host alone, without the dot of a fully qualified name.
    private static func hostPart(
        _ authority: ByteRange, _ bytes: UnsafeRawBufferPointer
    ) throws(HeadRefusal) -> ByteRange {
        let value = bytes[authority]
        var end = 0
        if value.first == 0x5B {
            end = 1
            while end < value.count, ByteClass.hexValue(value[end]) != nil || value[end] == 0x3A || value[end] == 0x2E {
                end += 1
            }
            guard end < value.count, value[end] == 0x5D else {
                throw HeadRefusal(.badRequest, "The host is malformed.")
            }
            end += 1
        } else {
            while end < value.count,
                ByteClass.isAlphanumeric(value[end]) || value[end] == 0x2E || value[end] == 0x2D || value[end] == 0x5F
            {
                end += 1
            }
        }
        guard end > 0, end <= 255 else { throw HeadRefusal(.badRequest, "The host is empty or too long.") }
        if end < value.count {
            let port = UnsafeRawBufferPointer(rebasing: value[(end + 1)...])
            guard value[end] == 0x3A, port.count <= 5, port.allSatisfy(ByteClass.isDigit) else {
                throw HeadRefusal(.badRequest, "The host is malformed.")
            }
        }
        if end > 1, value[end - 1] == 0x2E { end -= 1 }
        return ByteRange(Int(authority.lower), Int(authority.lower) + end)
    }

    private static func offersHTTP2(_ value: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < value.count {
            var end = position
            while end < value.count, value[end] != 0x2C { end += 1 }
            if trim(value, from: position, to: end).spells("h2c") { return true }
            position = end + 1
        }
        return false
    }
}
