import NIOCore

/// Makes the text of an HTTP/1 head out of decoded fields, and checks everything that RFC 9113, section 8 asks for:
/// what comes out of here means to an HTTP/1 parser what it meant to the sender, or does not come out.
///
/// The text grows in memory of its own: first the values of the pseudo-header fields, behind them the head, whose
/// first line is written when the first regular field, or the end, says that there are no more of those.
struct HTTP2HeadReader: ~Copyable {
    enum Kind {
        case request, response, trailers
        /// Nobody wants the fields; they are decoded to keep the tables in step.
        case discarded
    }

    enum Verdict: Equatable {
        case good, malformed, tooLarge
        /// A CONNECT, or an extended one for a protocol that HTTP/1 instances do not speak.
        case connect, unknownProtocol
    }

    struct Limits {
        var bytes: Int
        var fields: Int
        var trailerBytes: Int
        var allowsExtendedConnect: Bool
    }

    let limits: Limits
    private var text = ScratchBytes()
    private var cookies = ScratchBytes()

    private var kind = Kind.discarded
    private(set) var verdict = Verdict.good
    private var listBytes = 0
    private var fieldCount = 0
    private var headStart = 0
    private var hasFirstLine = false

    // The pseudo-header fields and the host, as ranges of the text.
    private var method: ByteRange?
    private var scheme: ByteRange?
    private var path: ByteRange?
    private var authority: ByteRange?
    private var protocolName: ByteRange?
    private var host: ByteRange?
    private(set) var status = 0
    private(set) var contentLength: Int?
    private(set) var isExtendedConnect = false

    init(limits: Limits) { self.limits = limits }

    mutating func begin(_ kind: Kind) {
        self.text.clear()
        self.cookies.clear()
        self.kind = kind
        self.verdict = .good
        self.listBytes = 0
        self.fieldCount = 0
        self.headStart = 0
        self.hasFirstLine = false
        self.method = nil
        self.scheme = nil
        self.path = nil
        self.authority = nil
        self.protocolName = nil
        self.host = nil
        self.status = 0
        self.contentLength = nil
        self.isExtendedConnect = false
    }

    // MARK: Field by field

    @inline(__always)
    mutating func add(_ field: HPACKField) {
        guard self.kind != .discarded else { return }
        self.listBytes &+= field.nameLength &+ field.valueLength &+ 32
        // Browsers send every cookie as a field of its own; to HTTP/1 they are one.
        if field.kind != .cookie { self.fieldCount &+= 1 }
        let isTooLarge =
            self.listBytes > (self.kind == .trailers ? self.limits.trailerBytes : self.limits.bytes)
            || self.fieldCount > self.limits.fields
        if isTooLarge, self.verdict == .good { self.verdict = .tooLarge }
        if self.verdict == .good { self.write(field) }
    }

    private mutating func write(_ field: HPACKField) {
        if field.kind == .other || field.kind == .secret || field.kind == .fleeting {
            self.writeLine(field)
            return
        }
        if field.kind.isPseudo {
            self.addPseudo(field)
            return
        }
        if !self.hasFirstLine {
            self.writeFirstLine()
            guard self.verdict == .good else { return }
        }
        let value = UnsafeRawBufferPointer(start: field.value, count: field.valueLength)
        switch field.kind {
        case .host where self.kind == .request: self.addHost(field, value)
        case .cookie where self.kind == .request:
            if self.cookies.count > 0 { self.cookies.append("; ") }
            self.cookies.append(field.value, field.valueLength)
        case .contentLength where self.kind != .trailers:
            guard self.contentLength == nil, !self.isExtendedConnect, let length = parseLength(value) else {
                return self.refuse()
            }
            self.contentLength = length
            self.writeLine(field)
        case .te where value.spells("trailers"): self.writeLine(field)
        case .webSocketHandshake where self.isExtendedConnect: break
        case .te, .connectionSpecific, .invalid: self.refuse()
        default: self.writeLine(field)
        }
    }

    private mutating func refuse() { self.verdict = .malformed }

    @inline(__always)
    private mutating func writeLine(_ field: HPACKField) {
        if !self.hasFirstLine {
            self.writeFirstLine()
            guard self.verdict == .good else { return }
        }
        if self.kind == .trailers {
            // What says something about framing, routing or the client has no place behind the body.
            let name = UnsafeRawBufferPointer(start: field.name, count: field.nameLength)
            guard KnownField.classify(name) == .other else { return }
        }
        if field.isLine {
            self.text.append(field.name, field.nameLength &+ field.valueLength &+ 4)
            return
        }
        self.text.reserve(field.nameLength &+ field.valueLength &+ 4)
        self.text.append(field.name, field.nameLength)
        self.text.append(": ")
        self.text.append(field.value, field.valueLength)
        self.text.append("\r\n")
    }

    private mutating func addHost(_ field: HPACKField, _ value: UnsafeRawBufferPointer) {
        guard self.host == nil, Self.isAuthority(value) else { return self.refuse() }
        if let authority = self.authority {
            let named = self.text.bytes[authority]
            guard named.count == value.count,
                value.indices.allSatisfy({ ByteClass.lowercased(named[$0]) == ByteClass.lowercased(value[$0]) })
            else { return self.refuse() }
            self.host = authority
            return
        }
        let start = self.text.count
        self.writeLine(field)
        self.host = ByteRange(start, self.text.count)
    }

    private mutating func addPseudo(_ field: HPACKField) {
        guard !self.hasFirstLine, self.kind != .trailers else { return self.refuse() }
        let value = UnsafeRawBufferPointer(start: field.value, count: field.valueLength)
        if self.kind == .response {
            guard field.kind == .status, self.status == 0, let status = Self.status(value) else {
                return self.refuse()
            }
            self.status = status
            return
        }
        let range = ByteRange(self.text.count, self.text.count + field.valueLength)
        switch field.kind {
        case .method where self.method == nil && Self.isToken(value): self.method = range
        case .scheme where self.scheme == nil && Self.isScheme(value): self.scheme = range
        case .path where self.path == nil && Self.isTarget(value): self.path = range
        case .authority where self.authority == nil && Self.isAuthority(value): self.authority = range
        case .protocolName where self.protocolName == nil && Self.isToken(value): self.protocolName = range
        default: return self.refuse()
        }
        self.text.append(field.value, field.valueLength)
    }

    // MARK: The end

    /// The end of the block: what it was.
    mutating func finish() -> Verdict {
        guard self.kind != .discarded, self.verdict == .good else { return self.verdict }
        if !self.hasFirstLine { self.writeFirstLine() }
        // RFC 9113, 8.3.1: a request with an http scheme has an authority.
        if self.kind == .request, self.host == nil, self.authority == nil { self.verdict = .malformed }
        guard self.verdict == .good else { return self.verdict }
        if self.cookies.count > 0 {
            self.text.reserve(self.cookies.count + 10)
            self.text.append("cookie: ")
            self.text.append(self.cookies.base, self.cookies.count)
            self.text.append("\r\n")
        }
        self.text.append("\r\n")
        return self.verdict
    }

    /// The head, or the trailers, in `buffer`, which is overwritten.
    func copy(into buffer: inout ByteBuffer) {
        let count = self.text.count - self.headStart
        if buffer.capacity < count || buffer.capacity > 16384 {
            buffer = ByteBuffer()
            // Room for what the owner adds.
            buffer.reserveCapacity(count + 256)
        } else {
            buffer.clear()
        }
        buffer.writeBytes(UnsafeRawBufferPointer(start: self.text.base + self.headStart, count: count))
    }

    /// Whether the request's method is this one, spelt in upper case.
    func isMethod(_ word: StaticString) -> Bool {
        guard let method = self.method, method.count == word.utf8CodeUnitCount else { return false }
        let bytes = self.text.bytes[method]
        return bytes.indices.allSatisfy { bytes[$0] == word.utf8Start[$0] }
    }

    private mutating func writeFirstLine() {
        self.hasFirstLine = true
        self.headStart = self.text.count
        switch self.kind {
        case .trailers, .discarded: break
        case .response:
            // 101 belongs to HTTP/1 alone (RFC 9113, 8.6).
            guard self.status != 0, self.status != 101 else { return self.refuse() }
            self.writeStatusLine()
        case .request:
            if self.isMethod("CONNECT") {
                self.writeConnect()
            } else {
                self.writeRequestLine()
            }
        }
    }

    private mutating func writeRequestLine() {
        guard let method = self.method, let path = self.path, self.scheme != nil, self.protocolName == nil,
            self.text.bytes[path][0] == 0x2F || self.isMethod("OPTIONS")
        else { return self.refuse() }
        self.text.reserve(method.count &+ path.count &+ 12)
        self.text.append(method)
        self.text.append(" ")
        self.text.append(path)
        self.text.append(" HTTP/1.1\r\n")
        self.writeHostLine()
    }

    private mutating func writeHostLine() {
        guard let authority = self.authority else { return }
        self.text.append("Host: ")
        self.text.append(authority)
        self.text.append("\r\n")
    }

    private mutating func writeConnect() {
        guard let protocolName = self.protocolName else {
            // RFC 9113, 8.5: a CONNECT names nothing but the authority.
            guard self.authority != nil, self.scheme == nil, self.path == nil else { return self.refuse() }
            self.verdict = .connect
            return
        }
        // RFC 8441, section 4.
        guard self.limits.allowsExtendedConnect, self.authority != nil, self.scheme != nil, let path = self.path,
            self.text.bytes[path][0] == 0x2F
        else { return self.refuse() }
        guard self.text.bytes[protocolName].spells("websocket") else {
            self.verdict = .unknownProtocol
            return
        }
        self.isExtendedConnect = true
        self.text.append("GET ")
        self.text.append(path)
        self.text.append(" HTTP/1.1\r\n")
        self.writeHostLine()
        self.text.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
    }

    private mutating func writeStatusLine() {
        self.text.append("HTTP/1.1 ")
        self.text.append(UInt8(truncatingIfNeeded: 0x30 &+ self.status / 100))
        self.text.append(UInt8(truncatingIfNeeded: 0x30 &+ self.status / 10 % 10))
        self.text.append(UInt8(truncatingIfNeeded: 0x30 &+ self.status % 10))
        self.text.append(" ")
        self.text.append(HTTP2Reason.phrase(self.status))
        self.text.append("\r\n")
    }
}
