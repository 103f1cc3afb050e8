import NIOCore

/// Takes a body out of a stream of bytes, piece by piece.
struct BodyReader {
    private enum Coding {
        case length(remaining: Int)
        case chunked(ChunkedScanner)
        /// Its end is told (``BodyReader/finish()``).
        case open
        case complete
    }

    private var coding: Coding
    private let output: ChunkedScanner.Output
    /// How much data has come whose amount was not known beforehand.
    private(set) var unannounced = 0
    /// The trailer section that followed the body, for a reader that does not know the chunked coding: lines only.
    private(set) var trailers: ByteBuffer?

    init(_ framing: BodyFraming, output: ChunkedScanner.Output, malformed: RouterErrorCode) {
        self.output = output
        switch framing {
        case .none: self.coding = .complete
        case .length(let length): self.coding = .length(remaining: length)
        case .chunked: self.coding = .chunked(ChunkedScanner(malformed: malformed))
        case .untilClose, .delimited: self.coding = .open
        }
    }

    var isComplete: Bool {
        if case .complete = self.coding { return true }
        return false
    }

    /// The sender has said that the body ends here.
    mutating func finish() {
        if case .open = self.coding { self.coding = .complete }
    }

    /// The next piece to pass on; nil when more input is needed or the body is complete.
    ///
    /// - Parameter limit: at most so many bytes, though at least one when there is input.
    mutating func next(from input: inout ByteBuffer, limit: Int = .max) throws(HeadRefusal) -> ByteBuffer? {
        guard input.readableBytes > 0, limit > 0 else { return nil }
        switch self.coding {
        case .complete:
            return nil
        case .open:
            let count = min(input.readableBytes, limit)
            self.unannounced &+= count
            return input.readSlice(length: count)
        case .length(let remaining):
            let count = min(remaining, input.readableBytes, limit)
            self.coding = count == remaining ? .complete : .length(remaining: remaining - count)
            return input.readSlice(length: count)
        case .chunked(var scanner):
            return try self.nextChunked(&scanner, from: &input, limit: limit)
        }
    }

    private mutating func keepTrailer(_ line: ByteBuffer) {
        var trailers = self.trailers ?? ByteBuffer()
        self.trailers = nil
        trailers.writeImmutableBuffer(line)
        self.trailers = trailers
    }

    private mutating func nextChunked(
        _ scanner: inout ChunkedScanner, from input: inout ByteBuffer, limit: Int
    ) throws(HeadRefusal) -> ByteBuffer? {
        defer { self.unannounced = scanner.payload }
        while true {
            let output = self.output
            let result = input.withUnsafeReadableBytes { bytes -> Result<ChunkedScanner.Segment, HeadRefusal> in
                let window = UnsafeRawBufferPointer(rebasing: bytes[0..<min(bytes.count, limit)])
                do throws(HeadRefusal) { return .success(try scanner.next(window, output: output)) } catch {
                    return .failure(error)
                }
            }
            switch try result.get() {
            case .skip(let count):
                input.moveReaderIndex(forwardBy: count)
            case .trailer(let count):
                if let line = input.readSlice(length: count) { self.keepTrailer(line) }
            case .pass(let count):
                self.coding = .chunked(scanner)
                return input.readSlice(length: count)
            case .incomplete:
                self.coding = .chunked(scanner)
                return nil
            case .end:
                self.coding = .complete
                let lineEnd = input.readSlice(length: 2)
                return output == .chunks ? lineEnd : nil
            }
            if input.readableBytes == 0 {
                self.coding = .chunked(scanner)
                return nil
            }
        }
    }
}
