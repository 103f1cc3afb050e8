#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Encodes the text of HTTP/1 heads: names in lower case, without what concerns an HTTP/1 connection alone.
///
/// A line that came before is found by its bytes and costs a hash and a comparison; only a new one is looked into.
/// Fields that the `Connection` field names are the caller's to drop, as its HTTP/1 side does anyway.
struct HTTP2HeadWriter: ~Copyable {
    /// What was encoded, in the encoder's block.
    struct Head {
        /// A response's status as it was sent.
        var status = 0
        /// Whether a request's method is HEAD, so that its response has no body whatever its fields say.
        var isHeadRequest = false
    }

    enum Role { case request, response, tunnelResponse, trailers }

    var encoder: HPACKEncoder
    private var name = ScratchBytes()
    private let known = HPACKStaticTable.shared

    init(encoder: consuming HPACKEncoder) { self.encoder = encoder }

    // MARK: Messages

    /// Encodes a response's head. When the text is not one, returns nil and leaves nothing behind.
    ///
    /// - Parameter opensTunnel: the answer to an extended CONNECT: what HTTP/1 calls 101, HTTP/2 calls 200.
    mutating func response(_ text: UnsafeRawBufferPointer, opensTunnel: Bool) -> Head? {
        self.encoder.begin()
        // "HTTP/1.1 200" and a line end.
        guard text.count >= 16, UnsafeRawBufferPointer(rebasing: text[0..<7]).spells("http/1."),
            text[8] == ByteClass.space, let end = Self.lineEnd(text, from: 0),
            var status = HTTP2HeadReader.status(UnsafeRawBufferPointer(rebasing: text[9..<12])),
            text[12] == ByteClass.space || text[12] == ByteClass.carriageReturn
        else { return self.fail() }
        if status == 101 {
            guard opensTunnel else { return self.fail() }
            status = 200
        }
        self.appendStatus(status, UnsafeRawBufferPointer(rebasing: text[0..<end]))
        let role = opensTunnel && status < 300 ? Role.tunnelResponse : .response
        guard self.fields(text, from: end, role: role) else { return self.fail() }
        return Head(status: status)
    }

    /// Encodes a request's head. When the text is not one, returns nil and leaves nothing behind.
    mutating func request(_ text: UnsafeRawBufferPointer, isSecure: Bool) -> Head? {
        self.encoder.begin()
        guard let end = Self.lineEnd(text, from: 0),
            let methodEnd = text[0..<end].firstIndex(of: ByteClass.space),
            let targetEnd = text[(methodEnd + 1)..<end].firstIndex(of: ByteClass.space),
            UnsafeRawBufferPointer(rebasing: text[(targetEnd + 1)..<end]).spells("http/1.1\r\n")
        else { return self.fail() }
        let method = UnsafeRawBufferPointer(rebasing: text[0..<methodEnd])
        let target = UnsafeRawBufferPointer(rebasing: text[(methodEnd + 1)..<targetEnd])
        guard HTTP2HeadReader.isToken(method), HTTP2HeadReader.isTarget(target) else { return self.fail() }
        self.appendPseudo(method, name: ":method", indices: 2...3, indexing: .none)
        self.encoder.append(staticIndex: isSecure ? 7 : 6)
        self.appendPseudo(target, name: ":path", indices: 4...5, indexing: .repeated)
        // Pseudo-header fields come first, wherever the text has its host.
        guard let host = Self.hostLine(text, from: end), self.line(host, role: .request, isAuthority: true),
            self.fields(text, from: end, role: .request)
        else { return self.fail() }
        return Head(isHeadRequest: method.count == 4 && method.elementsEqual("HEAD".utf8))
    }

    /// Encodes trailers: field lines and an empty line.
    mutating func trailers(_ text: UnsafeRawBufferPointer) -> Head? {
        self.encoder.begin()
        guard self.fields(text, from: 0, role: .trailers) else { return self.fail() }
        return Head()
    }

    private mutating func fail() -> Head? {
        self.encoder.abandon()
        return nil
    }

    // MARK: Lines

    /// Where the line that starts at `start` ends, behind its line feed.
    @inline(__always)
    private static func lineEnd(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = text.baseAddress, start < text.count,
            let found = memchr(base + start, Int32(ByteClass.lineFeed), text.count - start)
        else { return nil }
        let end = UnsafeRawPointer(found) - base
        guard end > start, text[end - 1] == ByteClass.carriageReturn else { return nil }
        return end + 1
    }

    private static func hostLine(_ text: UnsafeRawBufferPointer, from start: Int) -> UnsafeRawBufferPointer? {
        var position = start
        while let end = self.lineEnd(text, from: position), end - position > 2 {
            let line = UnsafeRawBufferPointer(rebasing: text[position..<end])
            if self.isHost(line) { return line }
            position = end
        }
        return nil
    }

    @inline(__always)
    private static func isHost(_ line: UnsafeRawBufferPointer) -> Bool {
        line.count > 6 && line[4] == ByteClass.colon && UnsafeRawBufferPointer(rebasing: line[0..<4]).spells("host")
    }

    /// Encodes the lines up to the empty one; false when one is malformed or there is none.
    @inline(__always)
    private mutating func fields(_ text: UnsafeRawBufferPointer, from start: Int, role: Role) -> Bool {
        var position = start
        while let end = Self.lineEnd(text, from: position) {
            if end == position + 2 { return end == text.count }
            let line = UnsafeRawBufferPointer(rebasing: text[position..<end])
            guard self.line(line, role: role, isAuthority: false) else { return false }
            position = end
        }
        return false
    }

    @inline(__always)
    private mutating func line(_ line: UnsafeRawBufferPointer, role: Role, isAuthority: Bool) -> Bool {
        guard let base = line.baseAddress else { return false }
        let hash = quickHash(base, line.count)
        // The host's line is in the table as the authority, and must not be taken for a field.
        let isSecondHost = role == .request && !isAuthority && Self.isHost(line)
        if !isSecondHost, self.encoder.appendRepeated(key: base, line.count, hash: hash) { return true }
        return self.newLine(line, hash: hash, role: role, isAuthority: isAuthority)
    }

    @inline(never)
    private mutating func newLine(
        _ line: UnsafeRawBufferPointer, hash: UInt64, role: Role, isAuthority: Bool
    ) -> Bool {
        guard let colon = line.firstIndex(of: ByteClass.colon), colon > 0 else { return false }
        self.name.clear()
        self.name.reserve(colon)
        for index in 0..<colon {
            guard ByteClass.isToken(line[index]) else { return false }
            self.name.base.storeBytes(
                of: ByteClass.lowercased(line[index]), toByteOffset: index, as: UInt8.self)
        }
        self.name.count = colon
        let value = trim(line, from: colon + 1, to: line.count - 2)
        guard value.allSatisfy(ByteClass.isFieldValue) else { return false }
        let (known, kind) = self.known.find(self.name.base, colon)
        var index = known
        var indexing = HPACKEncoder.Indexing.repeated
        switch kind {
        case .connectionSpecific: return true
        case .te where !value.spells("trailers"): return true
        case .webSocketHandshake where role == .tunnelResponse: return true
        case .contentLength where role == .tunnelResponse || role == .trailers: return true
        case .host where role == .request:
            guard isAuthority else { return true }
            guard HTTP2HeadReader.isAuthority(value) else { return false }
            index = 1
        case .secret, .cookie: indexing = .never
        case .fleeting, .contentLength: indexing = .none
        default: break
        }
        let name = isAuthority ? UnsafeRawBufferPointer(start: Self.authorityName, count: 10) : self.name.bytes
        self.encoder.append(name: name, index: index, value: value, indexing: indexing, key: line, hash: hash)
        return true
    }

    private static var authorityName: UnsafeRawPointer {
        let name: StaticString = ":authority"
        return UnsafeRawPointer(name.utf8Start)
    }

    // MARK: Pseudo-header fields

    @inline(__always)
    private mutating func appendStatus(_ status: Int, _ line: UnsafeRawBufferPointer) {
        switch status {
        case 200: self.encoder.append(staticIndex: 8)
        case 204: self.encoder.append(staticIndex: 9)
        case 206: self.encoder.append(staticIndex: 10)
        case 304: self.encoder.append(staticIndex: 11)
        case 400: self.encoder.append(staticIndex: 12)
        case 404: self.encoder.append(staticIndex: 13)
        case 500: self.encoder.append(staticIndex: 14)
        default:
            let digits = UnsafeRawBufferPointer(rebasing: line[9..<12])
            self.appendPseudo(digits, name: ":status", indices: 8...8, indexing: .repeated)
        }
    }

    /// Appends a pseudo-header field whose name is in the static table, perhaps with this very value.
    ///
    /// When it is indexed, the value is its own key. It is no line, so that it cannot be taken for one; and statuses
    /// and targets, the only ones indexed, never meet on one connection.
    private mutating func appendPseudo(
        _ value: UnsafeRawBufferPointer, name: StaticString, indices: ClosedRange<Int>,
        indexing: HPACKEncoder.Indexing
    ) {
        for index in indices {
            let entry = self.known[index]
            let text = self.known.text(of: entry) + Int(entry.nameLength) + 2
            if Int(entry.valueLength) == value.count, let base = value.baseAddress, memcmp(text, base, value.count) == 0
            {
                self.encoder.append(staticIndex: index)
                return
            }
        }
        guard let base = value.baseAddress else { return }
        let hash = quickHash(base, value.count)
        if indexing == .repeated, self.encoder.appendRepeated(key: base, value.count, hash: hash) { return }
        self.encoder.append(
            name: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
            index: indices.lowerBound, value: value, indexing: indexing, key: value, hash: hash)
    }
}
