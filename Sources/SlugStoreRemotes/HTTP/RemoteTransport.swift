public import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SlugStore
import Synchronization

/// Sends requests to a server, and again where that may help: with pauses that double and whose length is drawn from all up
/// to that, so that many hosts do not come back at the same moment.
public struct RemoteTransport: Sendable {
    /// How long, how often and how much.
    public struct Configuration: Sendable, Hashable {
        /// What a request may take, besides the time for its bytes. Default: 30 s.
        public var requestTimeout: Duration = .seconds(30)
        /// Bytes in a second that a server must move at least; a request's time grows by what its bytes take at this rate.
        /// Default: 64 KiB.
        public var minimumRate = 64 << 10
        /// How often a request is sent at most. Default: 5.
        public var attempts = 5
        /// The longest pause before the second attempt. Default: 200 ms.
        public var firstPause: Duration = .milliseconds(200)
        /// The longest pause, and the longest that a server may ask for. Default: 10 s.
        public var longestPause: Duration = .seconds(10)
        /// The largest answer that is not an object: a page of a list, a manifest, an error. Default: 4 MiB.
        public var answerBytes = 4 << 20

        /// The defaults.
        public init() {}
    }

    let client: HTTPClient
    let configuration: Configuration
    private let clock: any Clock<Duration>
    private let random: @Sendable () -> Double

    /// - Parameters:
    ///   - client: Opens the connections; it belongs to the caller. It should follow no redirects
    ///     (`redirectConfiguration: .disallow`): requests are signed for the server that they are sent to. An attempt at a server
    ///     where nobody listens lasts as long as its `timeout.connect`, which should be some seconds; those of
    ///     `HTTPClient.shared` are 90, and it follows redirects.
    ///   - configuration: How long, how often and how much.
    ///   - clock: What timeouts and pauses are measured on.
    ///   - random: A share between 0 and 1 of the longest pause.
    public init(
        client: HTTPClient, configuration: Configuration = .init(), clock: any Clock<Duration> = ContinuousClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.client = client
        self.configuration = configuration
        self.clock = clock
        self.random = random
    }

    /// Sends what `make` makes, each time anew, until there is an answer that another attempt would not change.
    /// - Parameter attempts: Fewer than configured for what must not be sent twice blindly.
    /// - Throws: `SlugStoreError.Code.remoteUnavailable` after the last attempt, `SlugStoreError.Code.cancelled`,
    ///   `SlugStoreError.Code.invalidAnswer`. An answer of any other status than "try again later" is returned.
    func send(
        _ what: String, attempts: Int? = nil, _ make: () async throws(SlugStoreError) -> RemoteRequest
    ) async throws(SlugStoreError) -> RemoteAnswer {
        var attempt = 1
        while true {
            var asked: Duration?
            let failure: SlugStoreError
            do throws(SlugStoreError) {
                let answer = try await self.sendOnce(what, try await make())
                guard [408, 429, 500, 502, 503, 504].contains(answer.status) else { return answer }
                failure = SlugStoreError(
                    code: .remoteUnavailable,
                    message: "\(what): the server answered \(answer.status)\(answer.excerpt).")
                asked = answer.header("Retry-After").flatMap { Int64($0) }.map { .seconds(min(max($0, 0), 3600)) }
            } catch {
                guard error.code == .remoteUnavailable else { throw error }
                failure = error
            }
            guard attempt < attempts ?? self.configuration.attempts else {
                var failure = failure
                if attempt > 1 { failure.message += " It was tried \(attempt) times." }
                throw failure
            }
            try await self.pause(after: attempt, asked: asked ?? .zero)
            attempt += 1
        }
    }

    /// Waits before the next attempt, so long as a share of what doubles from attempt to attempt, or as the server asked for.
    func pause(after attempt: Int, asked: Duration = .zero) async throws(SlugStoreError) {
        let longest = self.configuration.longestPause
        let bound = min(self.configuration.firstPause * (1 << min(attempt - 1, 20)), longest)
        do {
            try await self.clock.sleep(for: min(max(bound * self.random(), asked), longest))
        } catch {
            throw .cancelledRequest
        }
    }

    private func sendOnce(
        _ what: String, _ request: RemoteRequest
    ) async throws(SlugStoreError) -> RemoteAnswer {
        let seconds = Double(request.movedBytes) / Double(max(self.configuration.minimumRate, 1))
        let limit = self.configuration.requestTimeout + .seconds(seconds)
        let window = self.configuration.requestTimeout
        let least = Int64(window / .seconds(1) * Double(self.configuration.minimumRate))
        // Servers that know no ranges send what comes before the wanted one, too.
        let isStreamed = request.sink != nil && request.range?.upperBound ?? 0 > least
        let meter = StreamMeter()
        let outcome = await withTaskGroup(of: Result<RemoteAnswer, SlugStoreError>?.self) { group in
            group.addTask {
                do {
                    return .success(try await self.exchange(what, request, meter))
                } catch let error as SlugStoreError {
                    return .failure(error)
                } catch is CancellationError {
                    return .failure(.cancelledRequest)
                } catch let error as HTTPClientError where error == .cancelled {
                    return .failure(.cancelledRequest)
                } catch {
                    return .failure(
                        SlugStoreError(
                            code: .remoteUnavailable, message: "\(what): there was no whole answer.", cause: error))
                }
            }
            group.addTask {
                if isStreamed {
                    await self.waitForStandstill(meter, window, least)
                } else {
                    try? await self.clock.sleep(for: limit)
                }
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            if let first, let outcome = first { return outcome }
            // Out of time: what the other child says now is only that it was cancelled.
            await group.waitForAll()
            let message =
                isStreamed
                ? "less than \(least) bytes came within \(window)" : "there was no answer within \(limit)"
            return .failure(SlugStoreError(code: .remoteUnavailable, message: "\(what): \(message)."))
        }
        if Task.isCancelled { throw .cancelledRequest }
        return try outcome.get()
    }

    /// Returns when less than `least` has come in a window of time, or when the task is cancelled. What is large is not given all the
    /// time at once, which a server that stands still could use up.
    private func waitForStandstill(_ meter: StreamMeter, _ window: Duration, _ least: Int64) async {
        var before: Int64 = 0
        while true {
            do { try await self.clock.sleep(for: window) } catch { return }
            let now = meter.bytes
            if now - before < least { return }
            before = now
        }
    }

    private static let sinkBytes = 1 << 20

    private func exchange(
        _ what: String, _ request: RemoteRequest, _ meter: StreamMeter
    ) async throws -> RemoteAnswer {
        var outgoing = HTTPClientRequest(url: request.url)
        outgoing.method = HTTPMethod(rawValue: request.method)
        for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
        switch request.body {
        case .none: break
        case .bytes(let bytes): outgoing.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let file, let range):
            outgoing.body = .stream(
                FileBody(file: file, range: range, progress: request.progress), length: .known(Int64(range.count)))
        }
        // The race with the clock is what limits it; this is only never to be the reason.
        let answer = try await self.client.execute(outgoing, deadline: .distantFuture)
        var result = RemoteAnswer(
            status: Int(answer.status.code), headers: answer.headers.map { ($0.name, $0.value) }, body: [])
        if let range = request.range, [200, 206].contains(result.status) {
            if let sink = request.sink {
                // Pieces come as large as packets, and each call of a sink may cost a thread.
                var pending: [UInt8] = []
                var failure: (any Error)?
                do {
                    try await Self.body(answer.body, of: result, range: range, what, meter) { piece in
                        pending += piece
                        guard pending.count >= Self.sinkBytes else { return }
                        try await sink(pending)
                        pending.removeAll(keepingCapacity: true)
                    }
                } catch {
                    // What has come before it need not come again, unless it is the sink that wants no more.
                    if error is SlugStoreError { throw error }
                    failure = error
                }
                if !pending.isEmpty { try await sink(pending) }
                if let failure { throw failure }
            } else {
                var bytes: [UInt8] = []
                try await Self.body(answer.body, of: result, range: range, what, meter) { bytes += $0 }
                result.body = bytes
            }
        } else if request.method != "HEAD" {
            for try await piece in answer.body {
                guard result.body.count + piece.readableBytes <= self.configuration.answerBytes else {
                    throw SlugStoreError(
                        code: .invalidAnswer,
                        message: "\(what): the answer has more than \(self.configuration.answerBytes) bytes.")
                }
                result.body += piece.readableBytesView
            }
        }
        return result
    }

    /// Hands on the wanted bytes of an answer that may have heeded the range or not.
    private static func body(
        _ body: HTTPClientResponse.Body, of answer: RemoteAnswer, range: Range<Int64>, _ what: String,
        _ meter: StreamMeter, _ take: ([UInt8]) async throws -> Void
    ) async throws {
        var skip = range.lowerBound
        var expected: Int64?
        if answer.status == 206 {
            guard let content = ContentRange(answer.header("Content-Range") ?? ""), content.first == range.lowerBound,
                content.last < range.upperBound,
                content.last == range.upperBound - 1 || content.total.map({ $0 == content.last + 1 }) ?? true
            else {
                throw SlugStoreError(
                    code: .invalidAnswer,
                    message:
                        "\(what): bytes \(range.lowerBound) to \(range.upperBound - 1) were asked for, and the answer is "
                        + "\"\(RemoteAnswer.line(of: answer.header("Content-Range") ?? "without Content-Range"))\".")
            }
            skip = 0
            expected = content.last - content.first + 1
        } else if let length = answer.header("Content-Length").flatMap({ Int64($0) }) {
            // All of it, from a server that does not know of ranges.
            expected = max(0, min(length, range.upperBound) - range.lowerBound)
        }
        var taken: Int64 = 0
        let most = expected ?? Int64(range.count)
        for try await piece in body {
            var piece = piece
            // What is skipped comes, too.
            meter.add(piece.readableBytes)
            let skipped = min(skip, Int64(piece.readableBytes))
            piece.moveReaderIndex(forwardBy: Int(skipped))
            skip -= skipped
            let wanted = Array(piece.readableBytesView.prefix(Int(clamping: most - taken)))
            if !wanted.isEmpty { try await take(wanted) }
            taken += Int64(wanted.count)
            if taken == most { break }
        }
        guard expected.map({ taken == $0 }) ?? true else {
            throw SlugStoreError(
                code: .remoteUnavailable, message: "\(what): the answer ended after \(taken) of \(most) bytes.")
        }
    }
}

/// Counts what has come of an answer, for whoever looks whether it still comes.
private final class StreamMeter: Sendable {
    private let count = Atomic<Int64>(0)

    var bytes: Int64 { self.count.load(ordering: .relaxed) }

    func add(_ bytes: Int) { self.count.add(Int64(bytes), ordering: .relaxed) }
}

extension SlugStoreError {
    static let cancelledRequest = SlugStoreError(code: .cancelled, message: "The operation was cancelled.")
}
