internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PlatformKit
internal import PlatformWire
internal import Synchronization

/// Answers a change that is sent again with the same `Idempotency-Key` as it was answered before.
///
/// For operations that answer at once. Answers are kept in memory, for a day at most.
final class IdempotencyMiddleware: RouterMiddleware {
    /// An answer that is kept.
    struct Answer {
        var status: HTTPResponse.Status
        var headers: HTTPFields
        var body: ByteBuffer
    }

    private static let maximumKeyLength = 255
    private static let maximumAnswerBytes = 64 << 10

    private let cache: Mutex<IdempotencyCache<Answer>>
    private let elapsed: @Sendable () -> Duration
    private let bodyLimit: Int

    init(limit: Int, lifetime: Duration, bodyLimit: Int, clock: any Clock<Duration>) {
        self.cache = Mutex(IdempotencyCache(limit: limit, lifetime: lifetime))
        self.bodyLimit = bodyLimit
        self.elapsed = Self.stopwatch(clock)
    }

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let name = HTTPField.Name("Idempotency-Key"), let value = request.headers[name] else {
            return try await next(request, context)
        }
        guard (1...Self.maximumKeyLength).contains(value.utf8.count) else {
            throw Problem(
                type: "invalid", title: "Invalid request", status: 400,
                detail: "An Idempotency-Key has 1 to \(Self.maximumKeyLength) bytes.")
        }
        var request = request
        let body = try await request.collectBody(upTo: self.bodyLimit)
        let key = IdempotencyCache<Answer>.Key(
            principal: context.principal.name, operation: "\(request.method) \(request.uri)", key: value)
        let now = self.elapsed()
        switch self.cache.withLock({ $0.begin(key, fingerprint: body.hashValue, now: now) }) {
        case .replay(let answer):
            return Response(
                status: answer.status, headers: answer.headers, body: ResponseBody(byteBuffer: answer.body))
        case .inProgress:
            throw Problem(
                type: "conflict", title: "Conflict", status: 409,
                detail: "A request with this Idempotency-Key is being carried out.")
        case .mismatch:
            throw Problem(
                type: "invalid", title: "Refused", status: 422,
                detail: "This Idempotency-Key was used for another request.")
        case .run:
            break
        }
        do {
            var response = try await next(request, context)
            let answer = try await Self.answer(of: &response)
            self.cache.withLock { $0.end(key, answer: answer) }
            return response
        } catch {
            // Whatever was wrong may be right the next time.
            self.cache.withLock { $0.end(key, answer: nil) }
            throw error
        }
    }

    /// The answer to keep, if it is one that can be kept.
    private static func answer(of response: inout Response) async throws -> Answer? {
        guard response.status.kind == .successful, let length = response.body.contentLength,
            length <= Self.maximumAnswerBytes
        else { return nil }
        let collector = BodyCollector()
        try await response.body.write(collector)
        let bytes = collector.bytes.withLock { $0 }
        response.body = ResponseBody(byteBuffer: bytes)
        return Answer(status: response.status, headers: response.headers, body: bytes)
    }

    private static func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}

/// Writes a body into memory.
private final class BodyCollector: ResponseBodyWriter, Sendable {
    let bytes = Mutex(ByteBuffer())

    func write(_ buffer: ByteBuffer) async throws { self.bytes.withLock { _ = $0.writeImmutableBuffer(buffer) } }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
