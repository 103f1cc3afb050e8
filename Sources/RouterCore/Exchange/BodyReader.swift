import NIOCore

/// Takes a body out of a stream of bytes, piece by piece.
struct BodyReader {
    private enum Coding {
        case length(remaining: Int)
        case chunked(ChunkedScanner)
        case untilClose
        case complete
    }

    private var coding: Coding
    private let output: ChunkedScanner.Output

    init(_ framing: BodyFraming, output: ChunkedScanner.Output, malformed: RouterErrorCode) {
        self.output = output
        switch framing {
        case .none: self.coding = .complete
        case .length(let length): self.coding = .length(remaining: length)
        case .chunked: self.coding = .chunked(ChunkedScanner(malformed: malformed))
        case .untilClose: self.coding = .untilClose
        }
    }

    var isComplete: Bool {
        if case .complete = self.coding { return true }
        return false
    }

    /// How much data the chunked coding has carried so far; a length is known beforehand.
    var chunkedPayload: Int {
        if case .chunked(let scanner) = self.coding { return scanner.payload }
        return 0
    }

    /// The next piece to pass on; nil when more input is needed or the body is complete.
    ///
    /// - Parameter limit: at most so many bytes, though at least one when there is input.
    mutating func next(from input: inout ByteBuffer, limit: Int = .max) throws(HeadRefusal) -> ByteBuffer? {
        guard input.readableBytes > 0, limit > 0 else { return nil }
        switch self.coding {
        case .complete:
            return nil
        case .untilClose:
            return input.readSlice(length: min(input.readableBytes, limit))
        case .length(let remaining):
            let count = min(remaining, input.readableBytes, limit)
            self.coding = count == remaining ? .complete : .length(remaining: remaining - count)
            return input.readSlice(length: count)
        case .chunked(var scanner):
            return try self.nextChunked(&scanner, from: &input, limit: limit)
        }
    }

    private mutating func nextChunked(
        _ scanner: inout ChunkedScanner, from input: inout ByteBuffer, limit: Int
    ) throws(HeadRefusal) -> ByteBuffer? {
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
                if input.readableBytes == 0 {
                    self.coding = .chunked(scanner)
                    return nil
                }
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
        }
    }
}
