import Crypto

/// The SHA-256 of a chunk's bytes: its only address.
struct ChunkID: Hashable, Sendable, Comparable, CustomStringConvertible {
    static let byteCount = 32

    /// The digest as four big-endian words, so that comparing words compares bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Reads a stored digest; `bytes` has exactly ``byteCount`` bytes.
    init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount)
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        self.words = (word(0), word(8), word(16), word(24))
    }

    /// Hashes `content`.
    init(of content: UnsafeRawBufferPointer) {
        var hash = SHA256()
        hash.update(bufferPointer: content)
        self = hash.finalize().withUnsafeBytes { ChunkID(bytes: $0) }
    }

    init(of content: [UInt8]) { self = content.withUnsafeBytes { ChunkID(of: $0) } }

    func append(to bytes: inout [UInt8]) {
        for word in [self.words.0, self.words.1, self.words.2, self.words.3] {
            withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
        }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        self.append(to: &bytes)
        return bytes
    }

    static func == (lhs: ChunkID, rhs: ChunkID) -> Bool {
        lhs.words.0 == rhs.words.0 && lhs.words.1 == rhs.words.1 && lhs.words.2 == rhs.words.2
            && lhs.words.3 == rhs.words.3
    }

    static func < (lhs: ChunkID, rhs: ChunkID) -> Bool { lhs.words < rhs.words }

    // One word of a cryptographic digest spreads as well as all four, at a quarter of the hashing.
    func hash(into hasher: inout Hasher) { hasher.combine(self.words.0) }

    var description: String {
        func hex(_ word: UInt64) -> String {
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hex(self.words.0) + hex(self.words.1) + hex(self.words.2) + hex(self.words.3)
    }

    var shortDescription: String { String(self.description.prefix(12)) }
}
