/// Carries requests to an authority.
///
/// ## Promises a conformer keeps
/// - It sends each request once and follows no redirect: a request is signed for its URL, and is good once.
/// - It has time limits for connecting and for the whole answer, and a limit for the answer's size.
/// - It ends early when the task is cancelled.
public protocol ACMETransport: Sendable {
    /// Sends a request and returns the answer, whatever its status.
    ///
    /// - Throws: what kept the answer from coming.
    func send(_ request: ACMERequest) async throws -> ACMEResponse

    /// Frees what it holds. Called once, by the manager that was given it, when that stops.
    func shutDown() async
}

extension ACMETransport {
    /// Does nothing.
    public func shutDown() async {}
}

/// A request to an authority.
public struct ACMERequest: Sendable {
    /// The methods that are used.
    public enum Method: String, Sendable {
        /// Reads without an account.
        case get = "GET"
        /// Asks for a nonce.
        case head = "HEAD"
        /// Everything else.
        case post = "POST"
    }

    /// The method.
    public var method: Method
    /// The whole URL, which is an `https` one.
    public var url: String
    /// The body of a POST, of type `application/jose+json`.
    public var body: [UInt8]

    /// Describes a request.
    public init(_ method: Method, _ url: String, body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.body = body
    }
}

/// An authority's answer.
public struct ACMEResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields.
    public var headers: [(name: String, value: String)]
    /// The body, decoded from transfer and content codings.
    public var body: [UInt8]

    /// Describes an answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first header field of this name, in any case.
    func header(_ name: String) -> String? {
        self.headers.first { $0.name.lowercased() == name }?.value
    }
}
