/// Why the router answered by itself, or broke an exchange off: the value of `X-Slipway-Error`.
///
/// The set may grow; compare with the constants and treat an unknown code by its ``status``.
public struct RouterErrorCode: Hashable, Sendable, CustomStringConvertible {
    /// The code as it is written in the header and in logs.
    public let rawValue: String
    /// The HTTP status that goes with it. 499 is in records only: the client had gone.
    public let status: Int
    /// What it means, in a sentence for the person who sees the page.
    public let explanation: String

    /// The code.
    public var description: String { self.rawValue }

    /// Codes are the same when they are written the same.
    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.rawValue == rhs.rawValue }
    /// Hashes the code as it is written.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.rawValue) }

    private init(_ rawValue: String, _ status: Int, _ explanation: String) {
        self.rawValue = rawValue
        self.status = status
        self.explanation = explanation
    }

    /// No application has the request's host.
    public static let noSuchHost = Self("no-such-host", 404, "There is no application at this address.")
    /// The application is in maintenance.
    public static let maintenance = Self("maintenance", 503, "This application is being maintained. Try again later.")
    /// The application has no instance that takes requests.
    public static let noHealthyInstance = Self(
        "no-healthy-instance", 503, "This application has no running instance right now.")
    /// Every instance that was tried refused the connection.
    public static let connectFailed = Self(
        "connect-failed", 503, "This application's instances do not accept connections.")
    /// Every instance is at its limit, and so is the queue.
    public static let queueFull = Self("queue-full", 503, "This application has too many requests waiting.")
    /// The request waited too long for an instance.
    public static let queueTimeout = Self(
        "queue-timeout", 503, "This application was too busy to take the request in time.")
    /// The request is malformed or ambiguous.
    public static let badRequest = Self("bad-request", 400, "The request is malformed.")
    /// The application asks for a name and a password, and the request has no right ones.
    public static let unauthorized = Self("unauthorized", 401, "This application asks for a name and a password.")
    /// The client's address is not let in.
    public static let forbidden = Self("forbidden", 403, "This application is not open to your address.")
    /// Requests come too fast, from this client or to this application.
    public static let rateLimited = Self("rate-limited", 429, "There are too many requests. Try again later.")
    /// The router has as many connections as it takes.
    public static let tooManyConnections = Self(
        "too-many-connections", 503, "There are too many connections right now. Try again later.")
    /// The client's address has as many connections as one may have.
    public static let tooManyConnectionsFromAddress = Self(
        "too-many-connections-from-address", 429, "There are too many connections from your address.")
    /// The router holds as many bytes as it may; of a connection: it held the most of them.
    public static let overloaded = Self("overloaded", 503, "There is too much to do right now. Try again later.")
    /// The method is not one the router passes on (CONNECT, TRACE).
    public static let methodNotAllowed = Self("method-not-allowed", 405, "This method is not passed on.")
    /// The client took too long to send its request.
    public static let requestTimeout = Self("request-timeout", 408, "The request did not arrive in time.")
    /// The request's body is over the limit.
    public static let bodyTooLarge = Self("body-too-large", 413, "The request's body is too large.")
    /// The request line is over the limit.
    public static let uriTooLong = Self("uri-too-long", 414, "The address is too long.")
    /// The request expects something else than `100-continue`.
    public static let expectationFailed = Self("expectation-failed", 417, "The request expects what is not known here.")
    /// The header fields are over the limit, by size or number.
    public static let headersTooLarge = Self("headers-too-large", 431, "The request's header fields are too large.")
    /// The request asks for a protocol that is not spoken here.
    public static let notImplemented = Self("not-implemented", 501, "This protocol is not spoken here.")
    /// The request's HTTP version is neither 1.0 nor 1.1.
    public static let versionNotSupported = Self(
        "version-not-supported", 505, "Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here.")
    /// The instance closed the connection before it had answered, or in the middle of its answer.
    public static let upstreamBroke = Self(
        "upstream-broke", 502, "The application closed the connection before it had answered.")
    /// The instance's answer was not HTTP.
    public static let upstreamInvalid = Self("upstream-invalid", 502, "The application's answer was malformed.")
    /// The instance did not answer, or did not go on answering, in time.
    public static let upstreamTimeout = Self("upstream-timeout", 504, "The application did not answer in time.")
    /// The instance was drained and the exchange had not ended within the grace.
    public static let drained = Self("drained", 503, "The application's instance was stopped.")
    /// The router stopped and the exchange had not ended within the grace.
    public static let shuttingDown = Self("shutting-down", 503, "The router is stopping.")
    /// Nothing went through the upgraded connection for too long (records only).
    public static let idleTimeout = Self("idle-timeout", 504, "The connection was idle for too long.")
    /// The client stopped reading or went away (records only).
    public static let clientClosed = Self("client-closed", 499, "The client closed the connection.")
}
