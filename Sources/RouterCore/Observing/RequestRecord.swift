/// What happened to one request, reported when it is over.
public struct RequestRecord: Sendable {
    /// The application it was for; nil when no application has its host, or it was refused before that was known.
    public var application: String?
    /// The instance that answered or was tried last.
    public var backend: BackendID?
    /// The method.
    public var method: String
    /// The host, without port.
    public var host: String
    /// The path without the query, which may hold secrets.
    public var path: String
    /// The status the client was sent; 499 when it had gone before there was one.
    public var status: Int
    /// Why the router answered by itself or broke off; nil when all went well.
    public var errorCode: RouterErrorCode?
    /// Bytes received from the client: head and body.
    public var requestBytes: Int
    /// Bytes sent to the client: head and body.
    public var responseBytes: Int
    /// The time of day at which it ended, since 1970.
    public var endedAt: Duration
    /// From the end of the request's head to the end of the exchange.
    public var total: Duration
    /// Thereof waiting for a place with an instance.
    public var queue: Duration
    /// Thereof waiting for a connection, over all attempts.
    public var connect: Duration
    /// From the request being sent on to the first byte of the response; zero when there was none.
    public var firstByte: Duration
    /// The `X-Request-ID`.
    public var requestID: String
    /// The trace it belongs to (W3C Trace Context): 32 hexadecimal digits in lower case; nil for none.
    public var traceID: String?
    /// How often it was sent again, to this or another instance.
    public var retries: Int
    /// Whether it became a tunnel (a WebSocket).
    public var upgraded: Bool

    /// Makes a record, as the router does, and as tests of an observer do.
    public init(
        application: String?, backend: BackendID?, method: String, host: String, path: String, status: Int,
        errorCode: RouterErrorCode? = nil, requestBytes: Int = 0, responseBytes: Int = 0,
        endedAt: Duration = .zero, total: Duration = .zero, queue: Duration = .zero, connect: Duration = .zero,
        firstByte: Duration = .zero, requestID: String, traceID: String? = nil, retries: Int = 0,
        upgraded: Bool = false
    ) {
        self.application = application
        self.backend = backend
        self.method = method
        self.host = host
        self.path = path
        self.status = status
        self.errorCode = errorCode
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
        self.endedAt = endedAt
        self.total = total
        self.queue = queue
        self.connect = connect
        self.firstByte = firstByte
        self.requestID = requestID
        self.traceID = traceID
        self.retries = retries
        self.upgraded = upgraded
    }
}

/// Is told about every request, soon after it is over.
///
/// ## Promises a conformer keeps
/// - It returns at once: it is called on a loop of the router, and whatever it takes, every other request waits for.
/// - It may be called from several threads at once.
public protocol RequestObserver: Sendable {
    /// Requests, or upgraded connections, have ended: at most some milliseconds ago.
    func requestsFinished(_ requests: RequestBatch)
}
