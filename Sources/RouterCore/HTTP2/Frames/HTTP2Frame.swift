import NIOCore

/// The nine bytes before every frame's payload (RFC 9113, 4.1).
struct HTTP2FrameHeader {
    static var length: Int { 9 }

    var payloadLength: Int
    var type: UInt8
    var flags: HTTP2Flags
    var stream: UInt32

    /// The header at the start of a buffer that has at least nine bytes.
    @inline(__always)
    static func peek(_ buffer: ByteBuffer) -> HTTP2FrameHeader? {
        let start = buffer.readerIndex
        guard let word = buffer.getInteger(at: start, as: UInt64.self),
            let last = buffer.getInteger(at: start + 8, as: UInt8.self)
        else { return nil }
        return HTTP2FrameHeader(
            payloadLength: Int(word >> 40), type: UInt8(truncatingIfNeeded: word >> 32),
            flags: HTTP2Flags(rawValue: UInt8(truncatingIfNeeded: word >> 24)),
            stream: (UInt32(truncatingIfNeeded: word) << 8 | UInt32(last)) & 0x7FFF_FFFF)
    }
}

/// The types of frames.
enum HTTP2FrameType {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let resetStream: UInt8 = 3
    static let settings: UInt8 = 4
    static let pushPromise: UInt8 = 5
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
}

struct HTTP2Flags: OptionSet {
    var rawValue: UInt8

    static let endStream = HTTP2Flags(rawValue: 0x1)
    static let acknowledgement = HTTP2Flags(rawValue: 0x1)
    static let endHeaders = HTTP2Flags(rawValue: 0x4)
    static let padded = HTTP2Flags(rawValue: 0x8)
    static let priority = HTTP2Flags(rawValue: 0x20)
}

extension ByteBuffer {
    @inline(__always)
    mutating func writeFrameHeader(length: Int, type: UInt8, flags: HTTP2Flags, stream: UInt32) {
        self.writeMultipleIntegers(
            UInt32(truncatingIfNeeded: length) << 8 | UInt32(type), flags.rawValue, stream)
    }
}

/// The client's first bytes on a connection (RFC 9113, 3.4).
enum HTTP2Preface {
    static let text: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    static var length: Int { 24 }

    enum Match: Equatable {
        case yes, no
        /// So far, but there are too few bytes to know.
        case partial
    }

    /// Whether a connection's first bytes are those of an HTTP/2 client. An HTTP/1 request differs at the first byte
    /// or, if its method begins with a P, soon after.
    static func match(_ bytes: UnsafeRawBufferPointer) -> Match {
        let count = min(bytes.count, self.length)
        for index in 0..<count where bytes[index] != self.text.utf8Start[index] { return .no }
        return count == self.length ? .yes : .partial
    }

    static func match(_ buffer: ByteBuffer) -> Match {
        buffer.withUnsafeReadableBytes { self.match($0) }
    }
}
