import NIOCore

/// What two routers say to each other while the one takes over from the other.
///
/// ```
///   new ── hello ──▶ old
///   new ◀── offer ── old      with the descriptors; or refusal
///        (the new one sets its routes)
///   new ── ready ──▶ old      stops accepting
///   new ◀─ released ─ old     the new one accepts
/// ```
///
/// Each is one message of a local socket: `SLIP`, the version, the kind, and for some a list of texts, each with its
/// length in two bytes. The form never changes for `hello` and `refusal`, so that different versions can say so.
enum HandoverMessage: Equatable {
    case hello
    /// The addresses as the old router was configured, in the order of the descriptors.
    case offer(names: [String])
    case ready
    case released
    case refusal(String)

    static let version: UInt8 = 1
    /// No message is larger, in bytes.
    static let maxBytes = 65_536
    /// No offer has more sockets.
    static let maxSockets = 128

    enum Malformed: Error, Equatable {
        case notAMessage
        case version(UInt8)
    }

    private enum Kind: UInt8 {
        case hello = 1
        case offer, ready, released, refusal
    }

    private static let magic: StaticString = "SLIP"

    private var kind: Kind {
        switch self {
        case .hello: .hello
        case .offer: .offer
        case .ready: .ready
        case .released: .released
        case .refusal: .refusal
        }
    }

    private var texts: [String] {
        switch self {
        case .hello, .ready, .released: []
        case .offer(let names): names
        case .refusal(let reason): [String(reason.prefix(1000))]
        }
    }

    func encoded(version: UInt8 = Self.version) -> ByteBuffer {
        var bytes = ByteBuffer(staticString: Self.magic)
        bytes.writeMultipleIntegers(version, self.kind.rawValue, UInt16(self.texts.count))
        for text in self.texts {
            bytes.writeInteger(UInt16(clamping: text.utf8.count))
            bytes.writeString(text)
        }
        return bytes
    }

    init(_ bytes: ByteBuffer) throws(Malformed) {
        var bytes = bytes
        guard bytes.readString(length: Self.magic.utf8CodeUnitCount) == "\(Self.magic)",
            let (version, rawKind, count) = bytes.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self)
        else { throw .notAMessage }
        let kind = Kind(rawValue: rawKind)
        guard version == Self.version || kind == .hello || kind == .refusal else { throw .version(version) }
        guard kind != .hello || version == Self.version else { throw .version(version) }
        var texts: [String] = []
        for _ in 0..<count {
            guard let length = bytes.readInteger(as: UInt16.self), let text = bytes.readString(length: Int(length))
            else { throw .notAMessage }
            texts.append(text)
        }
        guard bytes.readableBytes == 0 else { throw .notAMessage }
        switch kind {
        case .hello where count == 0: self = .hello
        case .offer where count <= Self.maxSockets: self = .offer(names: texts)
        case .ready where count == 0: self = .ready
        case .released where count == 0: self = .released
        case .refusal where count == 1: self = .refusal(texts[0])
        default: throw .notAMessage
        }
    }
}
