/// Reads the body of a request, unpacked if it was gzipped, and counts what came.
struct BodyReader<Source: AsyncIteratorProtocol> where Source.Element == [UInt8] {
    private var source: Source
    private enum Encoding {
        case plain
        case gzip(GzipInflater)
        /// Said at the first read, so that a refused body can still be discarded.
        case unknown(GitReceiverError)
    }

    private let encoding: Encoding
    private let pool: BlockingPool
    private let clock: any Clock<Duration>
    private var pace: ClientPace
    private var atEnd = false
    /// The bytes handed out so far.
    private(set) var received = 0

    init(_ source: Source, of request: GitRequest, pool: BlockingPool, configuration: GitServer.Configuration) {
        self.source = source
        self.pool = pool
        self.clock = configuration.clock
        self.pace = ClientPace(.sends, rate: configuration.limits.pushRate, grace: configuration.limits.stallTime)
        switch request.header("Content-Encoding")?.lowercased() {
        case nil, "", "identity": self.encoding = .plain
        case "gzip", "x-gzip":
            do throws(GitReceiverError) { self.encoding = .gzip(try GzipInflater()) } catch {
                self.encoding = .unknown(error)
            }
        default:
            self.encoding = .unknown(
                GitReceiverError(.unsupported, "The request body has an encoding other than gzip."))
        }
    }

    /// The next piece, or nil at the end. Throws what the transport throws, and errors about the encoding.
    mutating func next() async throws -> [UInt8]? {
        switch self.encoding {
        case .plain:
            let piece = try await self.nextRaw()
            self.received += piece?.count ?? 0
            return piece
        case .gzip(let inflater): return try await self.nextInflated(inflater)
        case .unknown(let error): throw error
        }
    }

    private mutating func nextRaw() async throws -> [UInt8]? {
        while !self.atEnd {
            let stopwatch = Stopwatch(self.clock)
            guard let piece = try await self.source.next(isolation: #isolation) else {
                self.atEnd = true
                break
            }
            try self.pace.moved(piece.count, in: stopwatch.elapsed())
            if !piece.isEmpty { return piece }
        }
        return nil
    }

    private mutating func nextInflated(_ inflater: GzipInflater) async throws -> [UInt8]? {
        while true {
            // Bounded pieces: a small body can unpack to a thousand times its size.
            let piece = try await self.pool.run { _ throws(GitReceiverError) in try inflater.next() }
            if !piece.isEmpty {
                self.received += piece.count
                return piece
            }
            if self.atEnd {
                try inflater.finish()
                return nil
            }
            if let more = try await self.nextRaw() { try inflater.append(more) }
        }
    }

    /// The whole body, at most `limit` bytes.
    mutating func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await self.next() {
            bytes += piece
            guard bytes.count <= limit else {
                throw GitReceiverError(
                    .limitExceeded, "The request is larger than \(limit) bytes, the limit of this server.")
            }
        }
        return bytes
    }

    /// Reads on and forgets, at most `limit` bytes as sent: a client that is still sending does not read an answer. One
    /// that is too slow is not waited for.
    mutating func discard(limit: Int) async throws {
        var rest = limit
        do {
            while rest > 0, let piece = try await self.nextRaw() { rest -= piece.count }
        } catch let error as GitReceiverError where error.code == .deadlineExceeded {}
    }
}
