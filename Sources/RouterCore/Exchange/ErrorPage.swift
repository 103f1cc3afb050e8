import NIOCore

/// The router's own answers, as small as a page can be that still says what happened.
enum ErrorPage {
    static func response(
        _ answer: OwnAnswer, id: RequestID, date: HTTPDate, connection: StaticString, withBody: Bool
    ) -> ByteBuffer {
        let status = answer.status
        let phrase = self.phrase(status)
        let page = answer.text ?? answer.html ?? self.page(answer, phrase, id)
        var out = ByteBuffer()
        out.reserveCapacity(page.utf8.count + 320)
        out.writeString("HTTP/1.1 \(status) \(phrase)\r\nDate: \(date)\r\n")
        out.writeString("Content-Type: text/\(answer.text == nil ? "html; charset=utf-8" : "plain")\r\n")
        out.writeString("Content-Length: \(page.utf8.count)\r\nCache-Control: no-store\r\n")
        if let code = answer.code { out.writeString("X-Slipway-Error: \(code)\r\n") }
        out.writeString("X-Request-ID: \(id)\r\n")
        if let seconds = answer.retryAfter { out.writeString("Retry-After: \(seconds)\r\n") }
        out.writeBytes(answer.fields)
        if status == 405 { out.writeStaticString("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n") }
        out.writeStaticString(connection)
        out.writeStaticString("\r\n")
        if withBody { out.writeString(page) }
        return out
    }

    private static func page(_ answer: OwnAnswer, _ phrase: String, _ id: RequestID) -> String {
        """
        <!doctype html><meta charset="utf-8"><title>\(answer.status) \(phrase)</title>
        <h1>\(answer.status) \(phrase)</h1><p>\(answer.reason)</p><p><small>\(answer.code.map { "\($0) &middot; " } ?? "")\(id)</small></p>

        """
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 401: "Unauthorized"
        case 403: "Forbidden"
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
