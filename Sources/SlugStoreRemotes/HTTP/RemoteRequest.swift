import NIOCore
import SlugStore

/// A request as it goes out.
struct RemoteRequest: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        case file(LocalFile, Range<Int64>)

        var count: Int64 {
            switch self {
            case .none: 0
            case .bytes(let bytes): Int64(bytes.count)
            case .file(_, let range): Int64(range.count)
            }
        }
    }

    var method: String
    var url: String
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// What of an object is wanted, when that is what the answer is. It is the caller's to ask for it in a header.
    var range: Range<Int64>?
    /// Takes the bytes of the range as they come, in place of the answer's body.
    var sink: (@Sendable ([UInt8]) async throws(SlugStoreError) -> Void)?
    /// Is told how much of the body was handed to the connection, never twice at a time.
    var progress: (@Sendable (Int64) -> Void)?

    var movedBytes: Int64 { self.body.count + Int64(self.range?.count ?? 0) }
}

/// What a server said.
struct RemoteAnswer: Sendable {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: [UInt8]

    /// The first header field of this name.
    func header(_ name: String) -> String? {
        self.headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// What the body says, for messages.
    var excerpt: String {
        let line = Self.line(of: String(decoding: self.body.prefix(300), as: UTF8.self))
        return line.isEmpty ? "" : ": \(line)"
    }

    /// A server's text as it can be shown: in one line, and without what a terminal obeys.
    static func line(of text: String) -> String {
        text.unicodeScalars.map { scalar in
            scalar.properties.isWhitespace
                ? " " : scalar.properties.generalCategory == .control ? "?" : String(scalar)
        }.joined()
    }
}

/// `bytes 0-99/1234`, where the total may be `*`.
struct ContentRange: Equatable {
    var first: Int64
    var last: Int64
    var total: Int64?

    init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), first >= 0, last >= first else {
            return nil
        }
        if parts[1] != "*" {
            guard let total = Int64(parts[1]), total > last else { return nil }
            self.total = total
        }
        self.first = first
        self.last = last
    }
}

/// A range of a file as a body, a piece at a time.
struct FileBody: AsyncSequence, Sendable {
    static let pieceBytes: Int64 = 1 << 20

    let file: LocalFile
    let range: Range<Int64>
    var progress: (@Sendable (Int64) -> Void)?

    struct Iterator: AsyncIteratorProtocol {
        let file: LocalFile
        let start: Int64
        var rest: Range<Int64>
        let progress: (@Sendable (Int64) -> Void)?

        mutating func next() async throws -> ByteBuffer? {
            // Who asks for the next piece has sent the one before, or has it in the connection's buffer.
            self.progress?(self.rest.lowerBound - self.start)
            guard !self.rest.isEmpty else { return nil }
            let end = Swift.min(self.rest.lowerBound + FileBody.pieceBytes, self.rest.upperBound)
            let bytes = try await self.file.read(self.rest.lowerBound..<end)
            self.rest = end..<self.rest.upperBound
            return ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> Iterator {
        Iterator(file: self.file, start: self.range.lowerBound, rest: self.range, progress: self.progress)
    }
}
