/// SipHash-2-4: a hash that nobody can compute, or find collisions of, without the key. Takes its input in pieces.
///
/// The standard library's hasher has its own key in every process; this one gives the same values after a restart.
struct SipHash {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var tail: UInt64 = 0
    private var count: UInt64 = 0

    /// - Parameter purpose: hashes for different purposes have nothing to do with each other.
    init(_ key: SecretKey, _ purpose: StaticString = "") {
        self.v0 = key.low ^ 0x736F_6D65_7073_6575
        self.v1 = key.high ^ 0x646F_7261_6E64_6F6D
        self.v2 = key.low ^ 0x6C79_6765_6E65_7261
        self.v3 = key.high ^ 0x7465_6462_7974_6573
        if purpose.utf8CodeUnitCount > 0 {
            self.add(field: UnsafeRawBufferPointer(start: purpose.utf8Start, count: purpose.utf8CodeUnitCount))
        }
    }

    /// Adds bytes; where one piece ends and the next starts makes no difference.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            self.tail |= UInt64(byte) &<< ((self.count & 7) &<< 3)
            self.count &+= 1
            if self.count & 7 == 0 {
                self.compress(self.tail)
                self.tail = 0
            }
        }
    }

    mutating func add(_ word: UInt64) {
        withUnsafeBytes(of: word.littleEndian) { self.add($0) }
    }

    /// Adds bytes with their number, so that it does make a difference where they end.
    mutating func add(field bytes: UnsafeRawBufferPointer) {
        self.add(UInt64(bytes.count))
        self.add(bytes)
    }

    mutating func add(field text: String) {
        var text = text
        text.withUTF8 { self.add(field: UnsafeRawBufferPointer($0)) }
    }

    mutating func add(_ address: ClientAddress) {
        self.add(UInt64(truncatingIfNeeded: address.bits))
        self.add(UInt64(truncatingIfNeeded: address.bits >> 64))
    }

    consuming func finish() -> UInt64 {
        var hash = self
        hash.compress(hash.tail | hash.count &<< 56)
        hash.v2 ^= 0xFF
        for _ in 0..<4 { hash.round() }
        return hash.v0 ^ hash.v1 ^ hash.v2 ^ hash.v3
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        self.v3 ^= word
        self.round()
        self.round()
        self.v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        func rotated(_ word: UInt64, _ by: UInt64) -> UInt64 { word &<< by | word &>> (64 &- by) }
        self.v0 &+= self.v1
        self.v1 = rotated(self.v1, 13) ^ self.v0
        self.v0 = rotated(self.v0, 32)
        self.v2 &+= self.v3
        self.v3 = rotated(self.v3, 16) ^ self.v2
        self.v0 &+= self.v3
        self.v3 = rotated(self.v3, 21) ^ self.v0
        self.v2 &+= self.v1
        self.v1 = rotated(self.v1, 17) ^ self.v2
        self.v2 = rotated(self.v2, 32)
    }
}
