internal import GitReceiver
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import PlatformKit
internal import PlatformWire

/// Answers git clients: `/git/NAME.git/…`.
///
/// It works below the router, because a push reads its request and writes its response in one go, for as long as the
/// build takes, and all of it must end when the client goes away.
struct GitEndpoint {
    let platform: any ControlPlane
    /// `/git`
    let prefix: String
    let logger: Logger

    func matches(_ request: Request) -> Bool {
        request.uri.path.hasPrefix(self.prefix + "/")
    }

    @concurrent
    func respond(to request: Request, _ writer: consuming ResponseWriter, channel: any Channel) async throws {
        let gitRequest: GitRequest
        do {
            gitRequest = try await self.authorised(request)
        } catch {
            return try await self.refuse(error, writer)
        }
        let parts = HandoffChannel<Part>()
        // A closure may not use up what it captures, but it may take it out of an optional.
        var handOver: ResponseWriter? = consume writer
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.answer(gitRequest, body: GitRequestBody(body: request.body), into: parts)
                    parts.finish()
                } catch {
                    parts.finish(error)
                }
            }
            group.addTask {
                await DisconnectHandler.waitForDisconnect(of: channel)
                parts.finish(CancellationError())
            }
            defer { group.cancelAll() }
            if let writer = handOver.take() { try await self.write(parts, to: writer) }
        }
    }

    /// The request as the git server takes it, if who sends it may.
    private func authorised(_ request: Request) async throws -> GitRequest {
        let principal = try await Authenticator(platform: self.platform).principal(for: request.headers)
        let path = String(request.uri.path.dropFirst(self.prefix.count))
        let query = request.uri.query ?? ""
        let isPush = path.hasSuffix("/git-receive-pack") || query.contains("service=git-receive-pack")
        if isPush {
            guard principal.role >= .deploy else {
                throw PlatformError(.forbidden, "The token of \(principal.name) may fetch, but not push.")
            }
            guard self.platform.isReady else { throw ReadinessMiddleware.notReady }
        }
        let repository = path.dropFirst().prefix { $0 != "/" }
        // A repository is there as soon as its application is, so this is how a wrong name is told from an empty one.
        _ = try await self.platform.application(
            named: String(repository.hasSuffix(".git") ? repository.dropLast(4) : repository))
        return GitRequest(
            method: request.method.rawValue, path: path, query: query,
            headers: request.headers.map { ($0.name.rawName, $0.value) }, pusher: principal.name)
    }

    /// What is written to the client, one after the other: a head, then bytes.
    private enum Part {
        case head(HTTPResponse)
        case bytes(ByteBuffer)
    }

    /// Lets the git server answer, for as long as that takes.
    private func answer(_ request: GitRequest, body: GitRequestBody, into parts: HandoffChannel<Part>) async throws {
        let response = try await self.platform.respond(toGit: request, body: body)
        var head = HTTPResponse(status: HTTPResponse.Status(code: response.status))
        for field in response.headers {
            if let name = HTTPField.Name(field.name) {
                head.headerFields.append(HTTPField(name: name, value: field.value))
            }
        }
        switch response.body {
        case .bytes(let bytes):
            head.headerFields[.contentLength] = String(bytes.count)
            try await parts.send(.head(head))
            try await parts.send(.bytes(ByteBuffer(bytes: bytes)))
        case .stream(let produce):
            try await parts.send(.head(head))
            try await produce(Writer(parts: parts))
        }
    }

    @concurrent
    private func write(_ parts: HandoffChannel<Part>, to writer: consuming ResponseWriter) async throws {
        var iterator = parts.makeAsyncIterator()
        let head: HTTPResponse
        do {
            guard case .head(let first)? = try await iterator.next() else { throw CancellationError() }
            head = first
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return try await self.refuse(error, writer)
        }
        var output = try await writer.writeHead(head)
        while case .bytes(let bytes)? = try await iterator.next() { try await output.write(bytes) }
        try await output.finish(nil)
    }

    private struct Writer: GitBodyWriter {
        let parts: HandoffChannel<Part>

        func write(_ bytes: [UInt8]) async throws {
            guard !bytes.isEmpty else { return }
            try await self.parts.send(.bytes(ByteBuffer(bytes: bytes)))
        }
    }

    /// Says no in plain text, which git shows to whoever pushes.
    @concurrent
    private func refuse(_ error: any Error, _ writer: consuming ResponseWriter) async throws {
        let problem = Problem(error, logger: self.logger)
        let text = problem.detail + "\n"
        var head = HTTPResponse(
            status: HTTPResponse.Status(code: problem.status),
            headerFields: [
                .contentType: "text/plain; charset=utf-8", .contentLength: String(text.utf8.count),
                .cacheControl: "no-cache",
            ])
        if problem.status == 401 { head.headerFields[.wwwAuthenticate] = #"Basic realm="slipway", charset="UTF-8""# }
        if problem.status == 503 { head.headerFields[.retryAfter] = "1" }
        var output = try await writer.writeHead(head)
        try await output.write(ByteBuffer(string: text))
        try await output.finish(nil)
    }
}

/// The body of a request in the shape that the git server reads.
struct GitRequestBody: AsyncSequence, Sendable {
    typealias Element = [UInt8]

    let body: RequestBody

    struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: RequestBody.AsyncIterator

        @concurrent
        mutating func next() async throws -> [UInt8]? {
            guard let buffer = try await self.iterator.next() else { return nil }
            return Array(buffer.readableBytesView)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(iterator: self.body.makeAsyncIterator()) }
}
