/// What the values of pseudo-header fields may be. A value that the rest of the router would read in another way than
/// the client meant it must not get into a request line.
extension HTTP2HeadReader {
    @inline(__always)
    static func isToken(_ value: UnsafeRawBufferPointer) -> Bool {
        !value.isEmpty && value.allSatisfy(ByteClass.isToken)
    }

    static func isScheme(_ value: UnsafeRawBufferPointer) -> Bool {
        (value.count == 4 || value.count == 5 && value[4] == 0x73)
            && value[0] == 0x68 && value[1] == 0x74 && value[2] == 0x74 && value[3] == 0x70
    }

    /// A path with an optional query, or `*`: no space, no control character, no fragment.
    @inline(__always)
    static func isTarget(_ value: UnsafeRawBufferPointer) -> Bool {
        guard let first = value.first else { return false }
        if first == 0x2A { return value.count == 1 }
        guard first == 0x2F else { return false }
        for byte in value where byte <= 0x20 || byte == 0x7F || byte == 0x23 { return false }
        return true
    }

    /// A host with an optional port, and nothing that could end it or put a user in front of it.
    @inline(__always)
    static func isAuthority(_ value: UnsafeRawBufferPointer) -> Bool {
        guard !value.isEmpty else { return false }
        for byte in value where !ByteClass.isAlphanumeric(byte) {
            switch byte {
            // - . _ ~ : [ ] % ! $ & ' ( ) * + , ; =
            case 0x2D, 0x2E, 0x5F, 0x7E, 0x3A, 0x5B, 0x5D, 0x25, 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D: continue
            default: return false
            }
        }
        return true
    }

    /// Three digits, from 100.
    static func status(_ value: UnsafeRawBufferPointer) -> Int? {
        guard value.count == 3, value.allSatisfy(ByteClass.isDigit), value[0] != 0x30 else { return nil }
        return Int(value[0] - 0x30) * 100 + Int(value[1] - 0x30) * 10 + Int(value[2] - 0x30)
    }
}

/// The phrases behind the usual status codes; HTTP/2 has none, and HTTP/1 may leave them empty.
enum HTTP2Reason {
    @inline(__always)
    static func phrase(_ status: Int) -> StaticString {
        status == 200 ? "OK" : self.other(status)
    }

    private static func other(_ status: Int) -> StaticString {
        switch status {
        case 100: "Continue"
        case 103: "Early Hints"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Content Too Large"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: ""
        }
    }
}
