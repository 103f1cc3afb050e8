/// Reads the body of a request, unpacked if it was gzipped, and counts what came.
struct BodyReader<Source: AsyncIteratorProtocol> where Source.Element == [UInt8] {
    private var source: Source
    private let inflater: GzipInflater?
    private let pool: BlockingPool
    private var atEnd = false
    /// The bytes handed out so far.
    private(set) var received = 0

    init(_ source: Source, of request: GitRequest, pool: BlockingPool) throws(GitReceiverError) {
        self.source = source
        self.pool = pool
        switch request.header("Content-Encoding")?.lowercased() {
        case nil, "", "identity": self.inflater = nil
        case "gzip", "x-gzip": self.inflater = try GzipInflater()
        default: throw GitReceiverError(.unsupported, "The request body has an encoding other than gzip.")
        }
    }

    /// The next piece, or nil at the end. Throws what the transport throws, and errors about the encoding.
    mutating func next() async throws -> [UInt8]? {
        guard let inflater = self.inflater else {
            while let piece = try await self.source.next(isolation: #isolation) {
                if piece.isEmpty { continue }
                self.received += piece.count
                return piece
            }
            return nil
        }
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
            if let more = try await self.source.next(isolation: #isolation) {
                inflater.append(more)
            } else {
                self.atEnd = true
            }
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

    /// Reads on and forgets, at most `limit` bytes: a client that is still sending does not read an answer.
    mutating func discard(limit: Int) async throws {
        var rest = limit
        while rest > 0, let piece = try await self.next() { rest -= piece.count }
    }
}
