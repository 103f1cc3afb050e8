/// An answer of the router's own.
struct OwnAnswer {
    var status: Int
    /// Why it does not come from an instance; nil when it is no error.
    var code: RouterErrorCode?
    /// The sentence on the page.
    var reason: String
    /// What `Retry-After` says, in seconds.
    var retryAfter: Int?
    /// The page to show instead of the router's own.
    var html: String?
    /// Lines to add to the head, each with its end.
    var fields: [UInt8] = []
    /// Text instead of a page.
    var text: String?

    /// An error.
    init(_ code: RouterErrorCode, reason: String? = nil, retryAfter: Int? = nil, html: String? = nil) {
        self.status = code.status
        self.code = code
        self.reason = reason ?? code.explanation
        self.retryAfter = retryAfter
        self.html = html
    }

    /// Sends the client elsewhere.
    init(status: Int, location: [UInt8]) {
        self.status = status
        self.reason = "This is to be found elsewhere."
        self.fields = Array("Location: ".utf8) + location + [13, 10]
    }

    /// What may be asked of the router itself, for an OPTIONS that must go no further (RFC 9110, 7.6.2).
    static var options: OwnAnswer {
        var answer = OwnAnswer(text: "")
        answer.fields = Array("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n".utf8)
        return answer
    }

    /// Text that somebody has asked for by a program.
    init(text: String) {
        self.status = 200
        self.reason = ""
        self.text = text
    }
}
