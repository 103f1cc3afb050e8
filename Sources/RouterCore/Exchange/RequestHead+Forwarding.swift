extension RequestHead {
    /// How long the head that the instance is sent can be at most, for a head of so many bytes.
    func forwardedLimit(_ count: Int, facts: ConnectionFacts) -> Int {
        // The authority may come three times; fields of the router's own, with the longest identifier, in 640 bytes.
        count + 3 * self.authority.count + facts.untrustedFields.count + facts.viaField.count
            + facts.clientAddress.utf8.count + 640
    }

    /// Writes the head that the instance is sent: the client's own, without what was meant for the router, with what
    /// the router knows about the client.
    func write(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, facts: ConnectionFacts,
        id: RequestID, startMilliseconds: UInt64, delivery: ExchangeMachine.RequestDelivery = .asIs,
        into out: inout HeadWriter
    ) {
        self.writeRequestLine(bytes, into: &out)
        if self.isAbsoluteForm {
            out.append("Host: ")
            out.append(bytes[self.authority])
            out.append("\r\n")
        }
        // HTTP/1.0 may leave out the host, HTTP/1.1 may not; empty is how it says that there is none.
        if self.authority.isEmpty { out.append("Host:\r\n") }
        // Neighbouring lines that pass are copied in one go.
        var runStart: Int32 = -1
        var runEnd: Int32 = -1
        for index in fields.indices {
            guard self.passes(fields[index], bytes, fields: fields, trusted: facts.isTrusted) else { continue }
            let line = fields[index].line
            if line.lower != runEnd {
                if runStart >= 0 { out.append(bytes[ByteRange(Int(runStart), Int(runEnd))]) }
                runStart = line.lower
            }
            runEnd = line.upper
        }
        if runStart >= 0 { out.append(bytes[ByteRange(Int(runStart), Int(runEnd))]) }

        if delivery == .intoChunks || (delivery == .asIs && self.framing == .chunked) {
            out.append("Transfer-Encoding: chunked\r\n")
        }
        // HTTP/2 has the field end to end, and gRPC insists on it.
        if delivery == .data, self.acceptsTrailers { out.append("TE: trailers\r\n") }
        if let maxForwards = self.maxForwards {
            out.append("Max-Forwards: ")
            out.append(decimal: UInt64(max(0, maxForwards - 1)))
            out.append("\r\n")
        }
        if self.upgrade { out.append("Connection: upgrade\r\n") }
        if facts.isTrusted {
            self.writeTrustedForwarding(bytes, fields: fields, facts: facts, into: &out)
        } else {
            out.append(facts.untrustedFields)
            self.writeForwardedHost(bytes, into: &out)
        }
        out.append("X-Request-ID: ")
        id.withBytes { out.append($0) }
        out.append("\r\nX-Request-Start: ")
        out.append(decimal: startMilliseconds)
        out.append("\r\n")
        self.trace.write(into: &out)
        out.append(self.minorVersion == 0 ? facts.oldViaField : facts.viaField)
        out.append("\r\n")
    }

    private func writeRequestLine(_ bytes: UnsafeRawBufferPointer, into out: inout HeadWriter) {
        out.append(bytes[self.methodRange])
        out.append(" ")
        let target = bytes[self.target]
        if target.isEmpty {
            out.append(self.method == .options ? "*" as StaticString : "/")
        } else {
            if target[0] == 0x3F { out.append("/") }
            out.append(target)
        }
        out.append(" HTTP/1.1\r\n")
    }

    private func passes(
        _ field: HeadField, _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>,
        trusted: Bool
    ) -> Bool {
        switch field.kind {
        case .other, .contentType, .idempotencyKey, .date: break
        case .traceParent, .traceState:
            guard case .valid = self.trace.state else { return false }
        case .maxForwards where self.maxForwards != nil: return false
        case .maxForwards: break
        case .host: return !self.isAbsoluteForm
        case .contentLength: return true
        // Written anew: not every reader takes white space around it, or capitals, for the same.
        case .transferEncoding: return false
        case .connection, .hopByHop, .transferCodings, .disguised, .requestID, .requestStart, .routerError,
            .forwardedFor:
            return false
        case .forwardedProto, .forwardedPort, .forwardedHost, .clientAddress: return trusted
        case .expect: return self.expectsContinue
        case .upgrade: return self.upgrade
        }
        return !self.connection.namesFields || !ConnectionOptions.names(field, in: bytes, fields: fields)
    }

    private func writeForwardedHost(_ bytes: UnsafeRawBufferPointer, into out: inout HeadWriter) {
        guard !self.authority.isEmpty else { return }
        out.append("X-Forwarded-Host: ")
        out.append(bytes[self.authority])
        out.append("\r\n")
    }

    /// A trusted proxy's statements are kept, and completed where it made none.
    private func writeTrustedForwarding(
        _ bytes: UnsafeRawBufferPointer, fields: borrowing ContiguousArray<HeadField>, facts: ConnectionFacts,
        into out: inout HeadWriter
    ) {
        var hasProto = false
        var hasPort = false
        var hasHost = false
        out.append("X-Forwarded-For: ")
        for index in fields.indices {
            switch fields[index].kind {
            case .forwardedFor where !fields[index].value.isEmpty:
                out.append(bytes[fields[index].value])
                out.append(", ")
            case .forwardedProto: hasProto = true
            case .forwardedPort: hasPort = true
            case .forwardedHost: hasHost = true
            default: break
            }
        }
        out.append(text: facts.clientAddress)
        out.append("\r\n")
        if !hasProto { out.append(text: "X-Forwarded-Proto: \(facts.scheme)\r\n") }
        if !hasPort { out.append(text: "X-Forwarded-Port: \(facts.port)\r\n") }
        if !hasHost { self.writeForwardedHost(bytes, into: &out) }
    }
}
