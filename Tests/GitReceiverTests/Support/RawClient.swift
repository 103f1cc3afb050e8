import Synchronization

@testable import GitReceiver

/// A client without git: sends what a test made by hand and takes the answer apart.
struct RawClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]

        /// The lines of the report on band 1: `unpack ok`, `ok refs/heads/main`.
        var report: [String] {
            var (outer, inner) = (PktLineReader(), PktLineReader())
            outer.append(self.body)
            while case .data(let data)? = try? outer.next() {
                if data.first == 1 { inner.append(Array(data.dropFirst())) }
            }
            var lines: [String] = []
            while case .data(let data)? = try? inner.next() { lines.append(Packet.text(data)) }
            return lines
        }

        var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    final class Collector: GitBodyWriter {
        let bytes = Mutex<[UInt8]>([])
        let watch: @Sendable ([UInt8]) -> Void

        init(_ watch: @escaping @Sendable ([UInt8]) -> Void) { self.watch = watch }

        func write(_ bytes: [UInt8]) async throws {
            self.bytes.withLock { $0 += bytes }
            self.watch(bytes)
        }
    }

    /// A body in chunks of any size.
    struct Chunks: AsyncSequence, Sendable {
        var chunks: [[UInt8]]
        struct AsyncIterator: AsyncIteratorProtocol {
            var rest: ArraySlice<[UInt8]>
            mutating func next() async throws -> [UInt8]? { self.rest.popFirst() }
        }
        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: self.chunks[...]) }

        init(_ bytes: [UInt8], size: Int) {
            self.chunks = stride(from: 0, to: bytes.count, by: size).map {
                Array(bytes[$0..<Swift.min($0 + size, bytes.count)])
            }
        }
    }

    let server: GitServer

    func send(
        _ method: String, _ path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], chunk: Int = 1000, watch: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) async throws -> Answer {
        let request = GitRequest(method: method, path: path, query: query, headers: headers, pusher: nil)
        let response = try await self.server.respond(to: request, body: Chunks(body, size: chunk))
        switch response.body {
        case .bytes(let bytes): return Answer(status: response.status, body: bytes)
        case .stream(let stream):
            let collector = Collector(watch)
            try await stream(collector)
            return Answer(status: response.status, body: collector.bytes.withLock { $0 })
        }
    }

    /// Pushes a pack to a new branch; `watch` sees what comes back as it comes.
    func push(
        _ commit: [UInt8], _ pack: [UInt8], to name: String = "refs/heads/main", chunk: Int = 1000,
        watch: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) async throws -> Answer {
        let command = "\(ObjectID.zero) \(PackWriter.hex(commit)) \(name)\0report-status side-band-64k"
        return try await self.send(
            "POST", "/app.git/git-receive-pack", body: PktLine.encode(command) + PktLine.flush + pack, chunk: chunk,
            watch: watch)
    }
}
