/// The header fields that the router acts on; every other one is `other` and passes.
enum KnownField: UInt8 {
    case other
    case host, connection, contentLength, transferEncoding, expect, upgrade, contentType, idempotencyKey
    /// Meant for the next hop only: Keep-Alive, Proxy-Connection, Proxy-Authorization, Proxy-Authenticate,
    /// HTTP2-Settings; and Proxy, which CGI confuses with the variable HTTP_PROXY.
    case hopByHop
    case forwardedFor, forwardedProto, forwardedPort, forwardedHost
    /// Forwarded and X-Real-IP: other spellings of who the client is, believed from trusted proxies only.
    case clientAddress
    case requestID, requestStart
    case routerError
    case maxForwards, date
    /// W3C Trace Context: passed on when it is valid, and not at all when it is not.
    case traceParent, traceState
    /// TE: for this hop, but whether the client takes trailers matters to the next one.
    case transferCodings
    /// A known name spelt with underscores: many servers cannot tell it from the real one, so it never passes.
    case disguised

    /// Which field a name, already validated as a token, means.
    @inline(__always)
    static func classify(_ name: UnsafeRawBufferPointer) -> KnownField {
        switch name.count {
        case 2: return name.spells("te") ? .transferCodings : .other
        case 4: return name.spells("host") ? .host : name.spells("date") ? .date : .other
        case 5: return name.spells("proxy") ? .hopByHop : .other
        case 6: return name.spells("expect") ? .expect : .other
        case 7: return name.spells("upgrade") ? .upgrade : .other
        case 11: return name.spells("traceparent") ? .traceParent : .other
        case 9, 10, 12, 14, 15, 16, 17, 18, 19: return self.classifyLong(name)
        default: return .other
        }
    }

    private static func classifyLong(_ name: UnsafeRawBufferPointer) -> KnownField {
        let exact = self.match(name)
        if exact != .other { return exact }
        guard name.contains(0x5F) else { return .other }
        return withUnsafeTemporaryAllocation(byteCount: name.count, alignment: 1) { copy in
            for index in 0..<name.count { copy[index] = name[index] == 0x5F ? 0x2D : name[index] }
            return self.match(UnsafeRawBufferPointer(copy)) == .other ? .other : .disguised
        }
    }

    private static func match(_ name: UnsafeRawBufferPointer) -> KnownField {
        switch name.count {
        case 9:
            return name.spells("forwarded") || name.spells("x-real-ip") ? .clientAddress : .other
        case 10:
            if name.spells("connection") { return .connection }
            if name.spells("tracestate") { return .traceState }
            return name.spells("keep-alive") ? .hopByHop : .other
        case 12:
            if name.spells("content-type") { return .contentType }
            if name.spells("max-forwards") { return .maxForwards }
            return name.spells("x-request-id") ? .requestID : .other
        case 14:
            if name.spells("content-length") { return .contentLength }
            return name.spells("http2-settings") ? .hopByHop : .other
        case 15:
            if name.spells("x-forwarded-for") { return .forwardedFor }
            if name.spells("x-request-start") { return .requestStart }
            if name.spells("idempotency-key") { return .idempotencyKey }
            return name.spells("x-slipway-error") ? .routerError : .other
        case 16:
            if name.spells("x-forwarded-port") { return .forwardedPort }
            if name.spells("x-forwarded-host") { return .forwardedHost }
            return name.spells("proxy-connection") ? .hopByHop : .other
        case 17:
            if name.spells("transfer-encoding") { return .transferEncoding }
            return name.spells("x-forwarded-proto") ? .forwardedProto : .other
        case 18: return name.spells("proxy-authenticate") ? .hopByHop : .other
        case 19: return name.spells("proxy-authorization") ? .hopByHop : .other
        default:
            return .other
        }
    }
}
