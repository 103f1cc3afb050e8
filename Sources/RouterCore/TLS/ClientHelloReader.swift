/// Finds the ClientHello in what a client sends first, in however many pieces and records it comes.
///
/// It looks at every byte once, keeps at most as many as it is told, and never waits for more than it needs: what is
/// not TLS is known from its first byte.
struct ClientHelloReader {
    enum Progress: Equatable {
        case needsMore
        case complete(ClientHello)
        /// HTTP without TLS.
        case plainHTTP
        /// Neither.
        case notTLS
        case refused(TLSAlert)
    }

    private let limit: Int
    /// Where the next record starts.
    private var position = 0
    /// The message that the records carry, so far.
    private var message: [UInt8] = []

    init(limit: Int = TLSSettings.maxClientHelloBytes) { self.limit = limit }

    /// Reads on.
    ///
    /// - Parameter bytes: everything from the start of the connection; a later call passes the same bytes and more.
    mutating func read(_ bytes: UnsafeRawBufferPointer) -> Progress {
        guard let first = bytes.first else { return .needsMore }
        if self.position == 0, first != Self.handshake {
            // The methods of HTTP, and the preface of HTTP/2, are upper-case letters.
            return first &- 0x41 < 26 ? .plainHTTP : .notTLS
        }
        while true {
            if let progress = self.examineMessage() { return progress }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[self.position...])
            if let type = rest.first, type != Self.handshake { return .refused(.unexpectedMessage) }
            if rest.count > 1, rest[1] != 3 { return self.position == 0 ? .notTLS : .refused(.protocolVersion) }
            guard rest.count >= 5 else { break }
            let length = Int(rest[3]) << 8 | Int(rest[4])
            // An empty record carries nothing, so that there could be any number of them.
            guard (1...16_384).contains(length) else { return .refused(.decodeError) }
            guard rest.count >= 5 + length else { break }
            self.message.append(contentsOf: rest[5..<(5 + length)])
            self.position += 5 + length
        }
        return bytes.count >= self.limit ? .refused(.decodeError) : .needsMore
    }

    private static let handshake: UInt8 = 22

    private func examineMessage() -> Progress? {
        guard let type = self.message.first else { return nil }
        guard type == 1 else { return .refused(.unexpectedMessage) }
        guard self.message.count >= 4 else { return nil }
        let length = self.message[1..<4].reduce(0) { $0 << 8 | Int($1) }
        guard 4 + length <= self.limit else { return .refused(.decodeError) }
        guard self.message.count >= 4 + length else { return nil }
        guard let hello = ClientHello(message: self.message[4..<(4 + length)]) else { return .refused(.decodeError) }
        return .complete(hello)
    }
}

/// The reasons for which a connection is refused before there is a handshake.
enum TLSAlert: UInt8 {
    case unexpectedMessage = 10
    case decodeError = 50
    case protocolVersion = 70
    case unrecognizedName = 112
    case noApplicationProtocol = 120

    /// The fatal alert as a record, in the clear.
    var record: [UInt8] { [21, 3, 1, 0, 2, 2, self.rawValue] }
}
