extension ResponseHead {
    /// How the body reaches the client.
    enum BodyDelivery: Equatable {
        /// As the instance framed it.
        case asIs
        /// The instance ends its body by closing; the client gets chunks, and keeps its connection.
        case intoChunks
        /// The client does not know the chunked coding; it gets the data, ended by closing.
        case outOfChunks
    }

    /// How much longer the head that the client is sent can be than the instance's.
    static var addedLimit: Int { 128 }

    /// Writes the head that the client is sent.
    func write(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, delivery: BodyDelivery,
        connection: StaticString, rules: ResponseRules? = nil, added: [UInt8] = [], seconds: UInt64 = 0,
        into out: inout HeadWriter
    ) {
        out.append("HTTP/1.1")
        var runStart = 8
        if bytes[12] != ByteClass.space {
            // The reason may be empty, the space before it may not be missing (RFC 9112, 4).
            out.append(bytes[ByteRange(8, 12)])
            out.append(" ")
            runStart = 12
        }
        var runEnd = self.fieldsStart
        var wroteLength = false
        var hasDate = false
        for index in fields.indices {
            let field = fields[index]
            var passes = self.passes(field, bytes, fields: fields, delivery: delivery)
            if field.kind == .date { hasDate = passes }
            if field.kind == .contentLength {
                passes = passes && !wroteLength
                wroteLength = true
            }
            if let rules, passes, rules.removes(bytes[field.name]) { passes = false }
            guard passes else { continue }
            if Int(field.line.lower) != runEnd {
                out.append(bytes[ByteRange(runStart, runEnd)])
                runStart = Int(field.line.lower)
            }
            runEnd = Int(field.line.upper)
        }
        out.append(bytes[ByteRange(runStart, runEnd)])
        if !added.isEmpty { out.append(added) }
        // Whoever passes on a response without a date adds it (RFC 9110, 6.6.1).
        if !hasDate, self.status >= 200 { out.append(text: "Date: \(HTTPDate(seconds: seconds))\r\n") }
        if delivery == .intoChunks || (delivery == .asIs && self.framing == .chunked) {
            out.append("Transfer-Encoding: chunked\r\n")
        }
        out.append(connection)
        out.append("\r\n")
    }

    private func passes(
        _ field: HeadField, _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>,
        delivery: BodyDelivery
    ) -> Bool {
        switch field.kind {
        case .connection, .hopByHop, .transferCodings, .routerError, .disguised: return false
        case .upgrade: return self.status == 101
        // RFC 9110, 8.6: neither may be there with 1xx and 204.
        case .contentLength: return self.status >= 200 && self.status != 204
        case .transferEncoding: return false
        default: return !self.connection.namesFields || !ConnectionOptions.names(field, in: bytes, fields: fields)
        }
    }
}
