/// Appends the variable-length integers that manifests and pack indexes are made of (LEB128, shortest form).
func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    bytes.append(UInt8(rest))
}

func appendVarint(_ value: Int, to bytes: inout [UInt8]) { appendVarint(UInt64(value), to: &bytes) }

/// Appends a length and the bytes.
func appendCounted(_ content: some Collection<UInt8>, to bytes: inout [UInt8]) {
    appendVarint(content.count, to: &bytes)
    bytes.append(contentsOf: content)
}

/// Reads back what was appended and trusts nothing: every read is checked against what is left, every count against a
/// limit, and only the shortest form of a number is accepted, so that equal values have equal bytes.
struct ByteReader {
    struct Malformed: Error {
        var what: String
        var offset: Int
    }

    private let bytes: [UInt8]
    private(set) var offset: Int

    init(_ bytes: [UInt8], from offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    var isAtEnd: Bool { self.offset == self.bytes.count }

    mutating func byte() throws(Malformed) -> UInt8 {
        guard self.offset < self.bytes.count else { throw self.malformed("ends too early") }
        defer { self.offset += 1 }
        return self.bytes[self.offset]
    }

    mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try self.byte()
            guard shift < 63 || byte <= 1 else { throw self.malformed("has a number of more than 64 bits") }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 {
                guard byte != 0 || shift == 0 else { throw self.malformed("has a number in a longer form than needed") }
                return value
            }
            shift += 7
        }
    }

    /// A number of at most `limit`.
    mutating func count(limit: Int, _ what: String) throws(Malformed) -> Int {
        let value = try self.varint()
        guard value <= UInt64(limit) else { throw self.malformed("has \(value) for \(what), more than \(limit)") }
        return Int(value)
    }

    mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
        guard count <= self.bytes.count - self.offset else { throw self.malformed("ends too early") }
        defer { self.offset += count }
        return self.bytes[self.offset..<self.offset + count]
    }

    mutating func chunkID() throws(Malformed) -> ChunkID {
        let slice = try self.take(ChunkID.byteCount)
        return slice.withUnsafeBytes { ChunkID(bytes: $0) }
    }

    mutating func string(limit: Int, _ what: String) throws(Malformed) -> String {
        let slice = try self.take(try self.count(limit: limit, "the length of \(what)"))
        guard let string = String(validating: slice, as: UTF8.self) else {
            throw self.malformed("has \(what) that is not UTF-8")
        }
        return string
    }

    func malformed(_ what: String) -> Malformed { Malformed(what: what, offset: self.offset) }
}

extension ByteReader {
    mutating func littleEndianHalfWord() throws(Malformed) -> UInt32 {
        try self.take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func littleEndianWord() throws(Malformed) -> UInt64 {
        try self.take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
