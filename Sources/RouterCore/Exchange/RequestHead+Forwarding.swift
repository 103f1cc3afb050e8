import NIOCore

extension RequestHead {
    /// Writes the head that the instance is sent: the client's own, without what was meant for the router, with what
    /// the router knows about the client.
    func write(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, facts: ConnectionFacts,
        id: RequestID, startMilliseconds: UInt64, into out: inout ByteBuffer
    ) {
        self.writeRequestLine(bytes, into: &out)
        if self.isAbsoluteForm {
            out.writeStaticString("Host: ")
            out.writeBytes(bytes[self.authority])
            out.writeStaticString("\r\n")
        }
        // HTTP/1.0 may leave out the host, HTTP/1.1 may not; empty is how it says that there is none.
        if self.authority.isEmpty { out.writeStaticString("Host:\r\n") }
        // Neighbouring lines that pass are copied in one go.
        var runStart: Int32 = -1
        var runEnd: Int32 = -1
        for index in fields.indices {
            guard self.passes(fields[index], bytes, fields: fields, trusted: facts.isTrusted) else { continue }
            let line = fields[index].line
            if line.lower != runEnd {
                if runStart >= 0 { out.writeBytes(bytes[ByteRange(Int(runStart), Int(runEnd))]) }
                runStart = line.lower
            }
            runEnd = line.upper
        }
        if runStart >= 0 { out.writeBytes(bytes[ByteRange(Int(runStart), Int(runEnd))]) }

        if self.upgrade { out.writeStaticString("Connection: upgrade\r\n") }
        if facts.isTrusted {
            self.writeTrustedForwarding(bytes, fields: fields, facts: facts, into: &out)
        } else {
            out.writeBytes(facts.untrustedFields)
            self.writeForwardedHost(bytes, into: &out)
        }
        out.writeStaticString("X-Request-ID: ")
        id.withBytes { _ = out.writeBytes($0) }
        out.writeStaticString("\r\nX-Request-Start: ")
        out.writeDecimal(startMilliseconds)
        out.writeStaticString("\r\n")
        out.writeBytes(facts.viaField)
        out.writeStaticString("\r\n")
    }

    private func writeRequestLine(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        out.writeBytes(bytes[self.methodRange])
        out.writeStaticString(" ")
        let target = bytes[self.target]
        if target.isEmpty {
            out.writeStaticString(self.method == .options ? "*" : "/")
        } else {
            if target[0] == 0x3F { out.writeStaticString("/") }
            out.writeBytes(target)
        }
        out.writeStaticString(" HTTP/1.1\r\n")
    }

    private func passes(
        _ field: HeadField, _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>,
        trusted: Bool
    ) -> Bool {
        switch field.kind {
        case .other, .contentType, .idempotencyKey: break
        case .host: return !self.isAbsoluteForm
        case .contentLength, .transferEncoding: return true
        case .connection, .hopByHop, .disguised, .requestID, .requestStart, .routerError, .forwardedFor: return false
        case .forwardedProto, .forwardedPort, .forwardedHost, .clientAddress: return trusted
        case .expect: return self.expectsContinue
        case .upgrade: return self.upgrade
        }
        return !self.connection.namesFields || !ConnectionOptions.names(field, in: bytes, fields: fields)
    }

    private func writeForwardedHost(_ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        guard !self.authority.isEmpty else { return }
        out.writeStaticString("X-Forwarded-Host: ")
        out.writeBytes(bytes[self.authority])
        out.writeStaticString("\r\n")
    }

    /// A trusted proxy's statements are kept, and completed where it made none.
    private func writeTrustedForwarding(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, facts: ConnectionFacts,
        into out: inout ByteBuffer
    ) {
        var hasProto = false
        var hasPort = false
        var hasHost = false
        out.writeStaticString("X-Forwarded-For: ")
        for index in fields.indices {
            switch fields[index].kind {
            case .forwardedFor where !fields[index].value.isEmpty:
                out.writeBytes(bytes[fields[index].value])
                out.writeStaticString(", ")
            case .forwardedProto: hasProto = true
            case .forwardedPort: hasPort = true
            case .forwardedHost: hasHost = true
            default: break
            }
        }
        out.writeString(facts.clientAddress)
        out.writeStaticString("\r\n")
        if !hasProto { out.writeString("X-Forwarded-Proto: \(facts.scheme)\r\n") }
        if !hasPort { out.writeString("X-Forwarded-Port: \(facts.port)\r\n") }
        if !hasHost { self.writeForwardedHost(bytes, into: &out) }
    }
}

extension ByteBuffer {
    /// Writes a number without making a string of it.
    mutating func writeDecimal(_ number: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var position = 20
            var rest = number
            repeat {
                position -= 1
                digits[position] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            _ = self.writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[position...]))
        }
    }
}
