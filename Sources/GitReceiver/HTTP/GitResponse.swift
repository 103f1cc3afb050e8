/// The answer to one HTTP request of a git client.
public struct GitResponse: Sendable {
    /// The HTTP status.
    public var status: Int
    /// The header fields. There is no `Content-Length`: the HTTP server adds its framing.
    public var headers: [(name: String, value: String)]
    /// What follows the header.
    public var body: Body

    /// The body of a response.
    public enum Body: Sendable {
        /// A body that is there already.
        case bytes([UInt8])
        /// A body that is made while it is sent; the request's body has been read by then.
        ///
        /// Call the closure once, within the request's task. It returns when the body is complete and throws when the
        /// client has gone or the task was cancelled; close the connection then. Dropping the closure uncalled is
        /// allowed: whatever the push had sent is removed.
        case stream(@Sendable (any GitBodyWriter) async throws -> Void)
    }

    /// A response with all its parts.
    public init(status: Int, headers: [(name: String, value: String)], body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A refusal in words. Git shows a plain-text body as `remote:` lines.
    static func refusal(_ status: Int, _ message: String) -> GitResponse {
        GitResponse(
            status: status, headers: [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-cache")],
            body: .bytes(Array((message + "\n").utf8)))
    }

    static func refusal(_ error: GitReceiverError) -> GitResponse {
        let status =
            switch error.code {
            case .notFound, .invalidName: 404
            case .malformed, .corrupt, .unsupported, .refused, .incomplete: 400
            case .limitExceeded: 413
            case .busy, .deadlineExceeded, .cancelled: 503
            default: 500
            }
        var response = GitResponse.refusal(status, error.message)
        if status == 503 { response.headers.append(("Retry-After", "60")) }
        return response
    }

    static func git(_ type: String, _ body: Body) -> GitResponse {
        GitResponse(
            status: 200, headers: [("Content-Type", "application/x-\(type)"), ("Cache-Control", "no-cache")], body: body
        )
    }
}

/// Where the bytes of a streamed response go.
public protocol GitBodyWriter: Sendable {
    /// Sends bytes; returns when the transport has accepted them, which is the back-pressure.
    ///
    /// Calls never overlap. Throws when the client has gone.
    func write(_ bytes: [UInt8]) async throws
}
