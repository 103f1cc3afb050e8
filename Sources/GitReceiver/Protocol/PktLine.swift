/// Git's framing: four hexadecimal digits of length (themselves included), then the data.
enum PktLine {
    /// The most that fits into one packet after its length.
    static let maximumData = 65516
    static let flush = Array("0000".utf8)
    static let delimiter = Array("0001".utf8)

    /// One packet; the data has to fit.
    static func encode(_ data: some Collection<UInt8>) -> [UInt8] {
        var packet = Self.length(data.count + 4)
        packet.reserveCapacity(data.count + 4)
        packet.append(contentsOf: data)
        return packet
    }

    static func encode(_ text: String) -> [UInt8] { Self.encode(text.utf8) }

    static func length(_ count: Int) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [12, 8, 4, 0].map { digits[(count >> $0) & 15] }
    }
}

/// What a pkt-line stream consists of.
enum Packet: Hashable, Sendable {
    case data([UInt8])
    case flush
    case delimiter
    case responseEnd

    /// The data as text, without the line feed that most senders add.
    static func text(_ data: [UInt8]) -> String {
        String(decoding: data.last == UInt8(ascii: "\n") ? data.dropLast() : data[...], as: UTF8.self)
    }
}

/// Cuts a byte stream into packets, however its chunks fall.
struct PktLineReader: Sendable {
    private var buffer: [UInt8] = []
    private var head = 0

    /// The bytes that are no packet yet.
    var pendingCount: Int { self.buffer.count - self.head }

    mutating func append(_ bytes: [UInt8]) {
        if self.head > 0, self.head == self.buffer.count || self.head > 1 << 16 {
            self.buffer.removeFirst(self.head)
            self.head = 0
        }
        self.buffer.append(contentsOf: bytes)
    }

    /// The next packet, or nil until more bytes are there.
    mutating func next() throws(GitReceiverError) -> Packet? {
        guard self.pendingCount >= 4 else { return nil }
        var length = 0
        for digit in self.buffer[self.head..<self.head + 4] {
            guard let value = Character(UnicodeScalar(digit)).hexDigitValue else {
                throw GitReceiverError(
                    .malformed, "The request is no git protocol: a packet length is not hexadecimal.")
            }
            length = length << 4 | value
        }
        switch length {
        case 0: self.head += 4; return .flush
        case 1: self.head += 4; return .delimiter
        case 2: self.head += 4; return .responseEnd
        case 4...PktLine.maximumData + 4:
            guard self.pendingCount >= length else { return nil }
            let data = Array(self.buffer[self.head + 4..<self.head + length])
            self.head += length
            return .data(data)
        default:
            throw GitReceiverError(.malformed, "The request is no git protocol: a packet has the length \(length).")
        }
    }

    /// Ends the packets: all bytes after them, which are the pack.
    mutating func takeRest() -> [UInt8] {
        defer {
            self.buffer = []
            self.head = 0
        }
        return Array(self.buffer[self.head...])
    }
}
