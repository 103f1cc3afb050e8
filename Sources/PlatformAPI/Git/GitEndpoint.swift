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
    func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let gitRequest: GitRequest
        do {
            gitRequest = try await self.authorised(request)
        } catch {
            return try await self.refuse(error, writer)
        }
        guard request.method == .post else {
            return try await self.answer(gitRequest, body: GitRequestBody(body: nil), writer, headers: [:])
        }
        var handOver: ResponseWriter? = consume writer
        try await request.body.consumeWithCancellationOnInboundClose { body in
            guard let writer = handOver.take() else { return }
            // Watching the connection uses up what else could come from it.
            try await self.answer(
                gitRequest, body: GitRequestBody(body: body), writer, headers: [.connection: "close"])
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

    @concurrent
    private func answer(
        _ request: GitRequest, body: GitRequestBody, _ writer: consuming ResponseWriter, headers: HTTPFields
    ) async throws {
        let response: GitResponse
        do {
            response = try await self.platform.respond(toGit: request, body: body)
        } catch {
            try Task.checkCancellation()
            return try await self.refuse(error, writer)
        }
        var head = HTTPResponse(status: HTTPResponse.Status(code: response.status), headerFields: headers)
        for field in response.headers {
            if let name = HTTPField.Name(field.name) { head.headerFields.append(HTTPField(name: name, value: field.value)) }
        }
        switch response.body {
        case .bytes(let bytes):
            head.headerFields[.contentLength] = String(bytes.count)
            var output = try await writer.writeHead(head)
            try await output.write(ByteBuffer(bytes: bytes))
            try await output.finish(nil)
        case .stream(let produce):
            var output = try await writer.writeHead(head)
            let channel = HandoffChannel<ByteBuffer>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        try await produce(GitResponseWriter(channel: channel))
                        channel.finish()
                    } catch {
                        channel.finish(error)
                    }
                }
                defer { group.cancelAll() }
                for try await bytes in channel { try await output.write(bytes) }
            }
            try await output.finish(nil)
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

    let body: RequestBody?

    struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: RequestBody.AsyncIterator?

        @concurrent
        mutating func next() async throws -> [UInt8]? {
            guard let buffer = try await self.iterator?.next() else { return nil }
            return Array(buffer.readableBytesView)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(iterator: self.body?.makeAsyncIterator()) }
}

private struct GitResponseWriter: GitBodyWriter {
    let channel: HandoffChannel<ByteBuffer>

    func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        try await self.channel.send(ByteBuffer(bytes: bytes))
    }
}
