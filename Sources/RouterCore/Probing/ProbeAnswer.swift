import NIOCore

/// Reads an instance's answer to a probe: bytes in, a report out as soon as it is certain.
struct ProbeAnswer {
    private enum Part {
        case head(HeadScanner)
        case body(BodyReader)
    }

    private let probe: HTTPHealthProbe
    private let limits: HeadScanner.Limits
    private var part = Part.head(HeadScanner())
    private var input = ByteBuffer()
    private var received = 0
    /// How much of what the body must begin with has been seen.
    private var matched = 0

    init(_ probe: HTTPHealthProbe) {
        self.probe = probe
        self.limits = HeadScanner.Limits(
            firstLine: 8192, firstLineCode: .upstreamInvalid, fields: probe.maxBytes, fieldCount: 500,
            fieldsCode: .upstreamInvalid, malformedCode: .upstreamInvalid)
    }

    /// The report, if what has come so far is enough for one.
    mutating func receive(_ bytes: ByteBuffer) -> HealthReport? {
        var bytes =
            bytes.getSlice(
                at: bytes.readerIndex, length: min(bytes.readableBytes, self.probe.maxBytes - self.received))
            ?? ByteBuffer()
        self.received += bytes.readableBytes
        self.input.writeBuffer(&bytes)
        do throws(HeadRefusal) {
            if let report = try self.read() { return report }
        } catch {
            return .failed("answered what is not HTTP/1.1: \(error.reason)")
        }
        if self.received < self.probe.maxBytes { return nil }
        return .failed("answered more than \(self.probe.maxBytes) bytes, and what was looked for was not among them")
    }

    /// The instance has closed, and what came before was not enough.
    func ended() -> HealthReport {
        if case .head = self.part { return .failed("closed the connection before it had answered") }
        return self.mismatch
    }

    private var mismatch: HealthReport {
        .failed("answered with a body that does not begin with '\(self.probe.bodyPrefix.prefix(100))'")
    }

    private mutating func read() throws(HeadRefusal) -> HealthReport? {
        while case .head(var scanner) = self.part {
            guard let length = try scanner.scan(self.input, limits: self.limits),
                let bytes = self.input.readSlice(length: length)
            else {
                self.part = .head(scanner)
                return nil
            }
            let head = try ResponseHead.parse(bytes)
            if head.status < 200, head.status != 101 {
                self.part = .head(HeadScanner())
                continue
            }
            guard self.probe.accepts.contains(where: { $0.contains(head.status) }) else {
                return .failed("answered \(head.status)")
            }
            self.part = .body(BodyReader(head.framing, output: .payload, malformed: .upstreamInvalid))
        }
        return try self.readBody()
    }

    private mutating func readBody() throws(HeadRefusal) -> HealthReport? {
        guard case .body(var reader) = self.part else { return nil }
        let wanted = self.probe.bodyPrefix.utf8.dropFirst(self.matched)
        guard !wanted.isEmpty else { return .passed }
        while let piece = try reader.next(from: &self.input) {
            let wanted = self.probe.bodyPrefix.utf8.dropFirst(self.matched)
            let count = min(wanted.count, piece.readableBytes)
            guard piece.readableBytesView.prefix(count).elementsEqual(wanted.prefix(count)) else {
                return self.mismatch
            }
            self.matched += count
            if count == wanted.count { return .passed }
        }
        self.part = .body(reader)
        return reader.isComplete ? self.mismatch : nil
    }
}

extension ResponseHead {
    fileprivate static func parse(_ buffer: ByteBuffer) throws(HeadRefusal) -> ResponseHead {
        try buffer.withUnsafeReadableBytes { bytes -> Result<ResponseHead, HeadRefusal> in
            var fields = ContiguousArray<HeadField>()
            do throws(HeadRefusal) {
                return .success(try ResponseHead.parse(bytes, toHead: false, fields: &fields))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}
