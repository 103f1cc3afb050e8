public import AsyncHTTPClient

/// A client of a Slipway host's HTTP API: one method for each operation.
///
/// Every method throws `Problem` when the host refused or failed, in the host's own words, ``ClientError`` when there was
/// no proper answer, and `CancellationError` when its task was cancelled; the request ends with the task, and the host
/// then cancels what it was doing for it.
public struct APIClient: Sendable {
    /// Where the host is, and what the client puts up with.
    public struct Configuration: Sendable {
        /// The admin address of the host: `http://127.0.0.1:8081`.
        public var url: String
        /// The access token.
        public var token: String?
        /// How long to wait for the answer to begin, for operations that do not stream. 60 seconds.
        public var timeout: Duration = .seconds(60)
        /// How long an answer that is read as a whole may be, in bytes. 64 MiB.
        public var maximumAnswerBytes = 64 << 20
        /// How long one line of a streamed answer may be, in bytes. 16 MiB.
        public var maximumLineBytes = 16 << 20

        /// Makes one for the host at an address.
        public init(url: String, token: String?) {
            self.url = url
            self.token = token
        }
    }

    /// Where the host is, and what the client puts up with.
    public let configuration: Configuration
    let httpClient: HTTPClient

    /// Makes a client that sends its requests by `httpClient`, whose owner shuts it down.
    public init(configuration: Configuration, httpClient: HTTPClient) {
        self.configuration = configuration
        self.httpClient = httpClient
    }
}

/// Receives a line of progress of a long operation. Throwing ends the operation.
public typealias ProgressHandler = @Sendable (_ line: String) async throws -> Void
