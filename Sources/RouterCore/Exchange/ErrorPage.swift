import NIOCore

/// The router's own answers, as small as a page can be that still says what happened.
enum ErrorPage {
    static func response(
        _ refusal: Refusal, id: RequestID, connection: StaticString, withBody: Bool
    ) -> ByteBuffer {
        let status = refusal.code.status
        let phrase = self.phrase(status)
        let page =
            refusal.html
                ?? """
                <!doctype html><meta charset="utf-8"><title>\(status) \(phrase)</title>
                <h1>\(status) \(phrase)</h1><p>\(refusal.reason)</p><p><small>\(refusal.code) &middot; \(id)</small></p>

                """
        var out = ByteBuffer()
        out.reserveCapacity(page.utf8.count + 256)
        out.writeString("HTTP/1.1 \(status) \(phrase)\r\nContent-Type: text/html; charset=utf-8\r\n")
        out.writeString("Content-Length: \(page.utf8.count)\r\nCache-Control: no-store\r\n")
        out.writeString("X-Slipway-Error: \(refusal.code)\r\nX-Request-ID: \(id)\r\n")
        if let seconds = refusal.retryAfter { out.writeString("Retry-After: \(seconds)\r\n") }
        if status == 405 { out.writeStaticString("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n") }
        out.writeStaticString(connection)
        out.writeStaticString("\r\n")
        if withBody { out.writeString(page) }
        return out
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Error"
        }
    }
}
