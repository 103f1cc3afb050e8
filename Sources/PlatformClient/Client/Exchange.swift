internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import PlatformWire
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// One request as the operations describe it.
struct Call {
    /// The methods that the API knows.
    enum Method: String { case get, post, put, patch, delete }

    var method: Method
    /// The segments after `/api/v1`, not yet encoded.
    var path: [String]
    var query: [(name: String, value: String)] = []
    var body: HTTPClientRequest.Body?
    var contentType: String?

    init(_ method: Method, _ path: String..., query: [(name: String, value: String)] = []) {
        self.method = method
        self.path = path
        self.query = query
    }

    /// The same request with a value as its JSON body.
    func json(_ value: some Encodable) throws -> Call {
        var call = self
        call.body = .bytes(ByteBuffer(bytes: try WireJSON.encode(value)))
        call.contentType = "application/json"
        return call
    }

    /// `/api/v1/apps/blog/logs?n=100`.
    var target: String {
        let path = (["api", "v1"] + self.path).map(percentEncoded).joined(separator: "/")
        if self.query.isEmpty { return "/" + path }
        return "/" + path + "?"
            + self.query.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }.joined(separator: "&")
    }
}

/// The text with everything but RFC 3986's unreserved characters percent-encoded.
func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }
    }
    return encoded
}

extension APIClient {
    /// Sends a request and reads its answer as a value.
    func value<Value: Decodable>(_ call: Call, as type: Value.Type = Value.self) async throws -> Value {
        let bytes = try await self.bytes(call)
        do {
            return try WireJSON.decode(type, from: Data(bytes.readableBytesView))
        } catch {
            throw ClientError(.unexpectedAnswer, self.strangeAnswer("with JSON of another shape"), cause: error)
        }
    }

    /// Sends a request and returns the bytes of its answer.
    @discardableResult
    func bytes(_ call: Call) async throws -> ByteBuffer {
        // A host that makes room for its successor may close a connection whose request it has not read. What only asks is
        // asked again (RFC 9110, 9.2.2).
        var retries = call.method == .get ? 3 : 0
        while true {
            do {
                return try await self.translatingErrors {
                    let response = try await self.send(call, timeout: self.configuration.timeout)
                    return try await self.collect(response)
                }
            } catch let error as ClientError where error.code == .interrupted && retries > 0 {
                retries -= 1
            }
        }
    }

    /// Sends a request whose answer is a stream of events, and returns its result.
    func events<Result: Codable & Sendable>(
        _ call: Call, result: Result.Type, onLine: ProgressHandler,
        onOutput: @Sendable ([UInt8]) async throws -> Void = { _ in }
    ) async throws -> Result {
        var outcome: Result?
        try await self.lines(call) { line in
            switch try WireJSON.decode(StreamEvent<Result>.self, from: Data(line)) {
            // An empty line of progress only shows that the host is still there.
            case .line(let text): if !text.isEmpty { try await onLine(text) }
            case .output(let data): try await onOutput([UInt8](data))
            case .result(let value): outcome = .some(value)
            case .problem(let problem): throw problem
            }
        }
        guard let outcome else {
            throw ClientError(
                .interrupted,
                "The connection to \(self.configuration.url) ended before the operation did. It was cancelled unless it had "
                    + "already finished; look at `slipway builds list` and `slipway releases list`.")
        }
        return outcome
    }

    /// Sends a request whose answer is a stream of lines, and hands over each line that is not empty.
    func lines(_ call: Call, _ handle: ([UInt8]) async throws -> Void) async throws {
        var splitter = LineSplitter(maximumLineBytes: self.configuration.maximumLineBytes)
        try await self.body(call) { buffer in
            for line in try splitter.append(buffer.readableBytesView) { try await handle(line) }
        }
        if let line = splitter.finish() { try await handle(line) }
    }

    /// Sends a request, however long its answer takes, and hands over the bytes of that as they come.
    func body(_ call: Call, _ handle: (ByteBuffer) async throws -> Void) async throws {
        try await self.translatingErrors {
            let response = try await self.send(call, timeout: nil)
            for try await buffer in response.body { try await handle(buffer) }
        }
    }

    /// Sends a request and returns its answer if that is a success; a refusal is thrown as the `Problem` that it carries.
    private func send(_ call: Call, timeout: Duration?) async throws -> HTTPClientResponse {
        let base = try baseURL(self.configuration.url)
        var request = HTTPClientRequest(url: base + call.target)
        request.method = HTTPMethod(rawValue: call.method.rawValue.uppercased())
        request.body = call.body
        request.headers.add(name: "Accept", value: "application/json, application/x-ndjson, text/plain")
        request.headers.add(name: "User-Agent", value: "slipway")
        if let contentType = call.contentType { request.headers.add(name: "Content-Type", value: contentType) }
        if let token = self.configuration.token {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        let deadline = timeout.map { NIODeadline.now() + TimeAmount($0) } ?? .distantFuture
        let response = try await self.httpClient.execute(request, deadline: deadline)
        if (200..<300).contains(response.status.code) { return response }

        let bytes = try await self.collect(response)
        if let problem = try? WireJSON.decode(Problem.self, from: Data(bytes.readableBytesView)) { throw problem }
        throw ClientError(.unexpectedAnswer, self.strangeAnswer("with status \(response.status.code)"))
    }

    private func collect(_ response: HTTPClientResponse) async throws -> ByteBuffer {
        do {
            return try await response.body.collect(upTo: self.configuration.maximumAnswerBytes)
        } catch is NIOTooManyBytesError {
            throw ClientError(
                .limit,
                "The answer of \(self.configuration.url) is larger than \(self.configuration.maximumAnswerBytes) bytes."
            )
        }
    }

    func strangeAnswer(_ how: String) -> String {
        "\(self.configuration.url) answered \(how), as no Slipway host does. Check --url or SLIPWAY_URL: it is the admin "
            + "address that `slipway serve` prints."
    }

    /// Puts the failures of the transport in words that say what to check.
    func translatingErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as Problem {
            throw error
        } catch let error as ClientError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch let error as HTTPClientError {
            if Task.isCancelled { throw CancellationError() }
            throw self.translated(error)
        } catch let error as DecodingError {
            throw ClientError(.unexpectedAnswer, self.strangeAnswer("with JSON of another shape"), cause: error)
        } catch let error as NIOConnectionError {
            let reason =
                error.connectionErrors.first.map { "\($0.error)" } ?? error.dnsAError.map { "\($0)" } ?? "unknown"
            throw self.unreachable(reason, cause: error)
        } catch let error as IOError where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode) {
            throw self.unreachable(Errno(rawValue: error.errnoCode).description, cause: error)
        } catch let error as HTTPParserError {
            // The end of the connection is the end of an answer whose length was not known before, and not a good one.
            throw ClientError(
                .interrupted, "The answer of \(self.configuration.url) broke off: \(error).", cause: error)
        } catch let error as IOError {
            throw ClientError(
                .interrupted, "The connection to \(self.configuration.url) broke: \(error.description).", cause: error)
        }
    }

    private func translated(_ error: HTTPClientError) -> ClientError {
        switch error {
        case .deadlineExceeded, .readTimeout, .writeTimeout:
            ClientError(.timedOut, "\(self.configuration.url) did not answer in time.", cause: error)
        case .connectTimeout, .getConnectionFromPoolTimeout:
            self.unreachable("no answer in time", cause: error)
        case .remoteConnectionClosed:
            ClientError(
                .interrupted, "\(self.configuration.url) closed the connection before its answer was complete.",
                cause: error)
        case .invalidURL, .emptyHost, .emptyScheme:
            ClientError(.invalid, "`\(self.configuration.url)` is not an address of a host.", cause: error)
        default:
            ClientError(.interrupted, "The request to \(self.configuration.url) failed: \(error).", cause: error)
        }
    }

    private func unreachable(_ reason: String, cause: any Error) -> ClientError {
        ClientError(
            .unreachable,
            "Cannot reach the host at \(self.configuration.url) (\(reason)). Is `slipway serve` running there? Set --url or "
                + "SLIPWAY_URL to its admin address.", cause: cause)
    }
}

/// The address without a trailing slash; throws when it is no HTTP address.
func baseURL(_ text: String) throws(ClientError) -> String {
    var base = text
    while base.hasSuffix("/") { base.removeLast() }
    guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
        throw ClientError(.invalid, "`\(text)` is not an address of a host: it begins with http:// or https://.")
    }
    return base
}
