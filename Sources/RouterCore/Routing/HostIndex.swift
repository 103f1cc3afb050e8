/// An immutable map from text to values that is cheap to change: a change copies one of many small buckets and shares
/// the rest. Looked up by bytes, in any case, without making a string.
///
/// Keys come from the operator and lookups from anyone; since lookups add nothing, an attacker cannot lengthen a
/// bucket, and the hash needs no seed.
struct HostIndex<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var hash: UInt64
        var key: [UInt8]
        var value: Value
    }

    private var buckets: [[Entry]]
    private(set) var count = 0

    var values: [Value] { self.buckets.joined().map(\.value) }

    init() {
        self.buckets = Array(repeating: [], count: 64)
    }

    @inline(__always)
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        // FNV-1a over the lower-case bytes, then mixed, because its low bits alone are weak.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(ByteClass.lowercased(byte))) &* 0x100_0000_01B3 }
        return hash ^ (hash >> 32)
    }

    private func bucket(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (self.buckets.count - 1) }

    /// The value for a key spelt in any case.
    func find(_ key: UnsafeRawBufferPointer) -> Value? {
        let hash = Self.hash(key)
        let bucket = self.bucket(hash)
        for index in self.buckets[bucket].indices
        where self.buckets[bucket][index].hash == hash && Self.matches(self.buckets[bucket][index].key, key) {
            return self.buckets[bucket][index].value
        }
        return nil
    }

    private static func matches(_ stored: [UInt8], _ key: UnsafeRawBufferPointer) -> Bool {
        guard stored.count == key.count else { return false }
        for index in stored.indices where stored[index] != ByteClass.lowercased(key[index]) { return false }
        return true
    }

    /// The value for a key.
    func find(_ key: String) -> Value? {
        var key = key
        return key.withUTF8 { self.find(UnsafeRawBufferPointer($0)) }
    }

    /// Sets or, with nil, removes the value for a key.
    mutating func set(_ key: String, _ value: Value?) {
        let bytes = key.utf8.map(ByteClass.lowercased)
        let hash = bytes.withUnsafeBytes { Self.hash($0) }
        let bucket = self.bucket(hash)
        let position = self.buckets[bucket].firstIndex { $0.hash == hash && $0.key == bytes }
        switch (position, value) {
        case (let position?, let value?):
            self.buckets[bucket][position].value = value
        case (let position?, nil):
            self.buckets[bucket].remove(at: position)
            self.count -= 1
        case (nil, let value?):
            self.buckets[bucket].append(Entry(hash: hash, key: bytes, value: value))
            self.count += 1
            if self.count > self.buckets.count * 8 { self.grow() }
        case (nil, nil):
            break
        }
    }

    private mutating func grow() {
        let entries = self.buckets.joined()
        var larger = [[Entry]](repeating: [], count: self.buckets.count * 4)
        for entry in entries { larger[Int(truncatingIfNeeded: entry.hash) & (larger.count - 1)].append(entry) }
        self.buckets = larger
    }
}
