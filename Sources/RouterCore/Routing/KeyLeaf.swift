/// How the keys of an index are compared.
enum KeyFolding: Sendable {
    /// ASCII letters are the same in either case: hosts.
    case ignoringCase
    /// Byte by byte: names of applications.
    case exact

    /// Eight bytes of a key as they are compared.
    @inline(__always)
    func fold(_ word: UInt64) -> UInt64 { self == .ignoringCase ? ByteClass.lowercased(word) : word }

    @inline(__always)
    func hash(_ key: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: key.count) &* 0x9E37_79B9_7F4A_7C15
        for index in 0..<key.wordCount { hash = Self.mix(hash ^ self.fold(key.word(index)), 0xA076_1D64_78BD_642F) }
        return Self.mix(hash, 0xE703_7ED1_A0B4_28DB)
    }

    @inline(__always)
    private static func mix(_ word: UInt64, _ factor: UInt64) -> UInt64 {
        let product = (word ^ 0x2D35_8DCC_AA6C_78A5).multipliedFullWidth(by: factor)
        return product.high ^ product.low
    }
}

struct KeyLeafHeader<Value> {
    /// The key's length in bytes.
    var count: Int
    var value: Value
}

/// An entry of an index: its value and, behind it in the same object, its key in words of eight bytes.
///
/// Sendable because nothing changes it after `init` has filled it, before anybody else can see it.
struct KeyLeaf<Value: Sendable>: @unchecked Sendable {
    private typealias Storage = ManagedBuffer<KeyLeafHeader<Value>, UInt64>

    private let storage: Storage

    init(_ key: UnsafeRawBufferPointer, _ value: Value, _ folding: KeyFolding) {
        self.storage = Storage.create(minimumCapacity: key.wordCount) { _ in
            KeyLeafHeader(count: key.count, value: value)
        }
        self.storage.withUnsafeMutablePointerToElements { words in
            for index in 0..<key.wordCount { (words + index).initialize(to: folding.fold(key.word(index))) }
        }
    }

    @inline(__always)
    func holds(_ key: UnsafeRawBufferPointer, _ folding: KeyFolding) -> Bool {
        self.storage.withUnsafeMutablePointers { header, words in
            guard header.pointee.count == key.count else { return false }
            for index in 0..<key.wordCount where words[index] != folding.fold(key.word(index)) { return false }
            return true
        }
    }

    /// Calls `body` with the value where it lies.
    @inline(__always)
    func withValue<R>(_ body: (Value) -> R) -> R {
        self.storage.withUnsafeMutablePointerToHeader { body($0.pointee.value) }
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    fileprivate var wordCount: Int { (self.count &+ 7) >> 3 }

    /// Eight bytes, the last ones filled up with zeros.
    @inline(__always)
    fileprivate func word(_ index: Int) -> UInt64 {
        let start = index &<< 3
        let rest = self.count &- start
        if rest >= 8 { return UInt64(littleEndian: self.loadUnaligned(fromByteOffset: start, as: UInt64.self)) }
        if self.count >= 8 {
            let last = self.loadUnaligned(fromByteOffset: self.count &- 8, as: UInt64.self)
            return UInt64(littleEndian: last) &>> UInt64(truncatingIfNeeded: (8 &- rest) &<< 3)
        }
        var word: UInt64 = 0
        for offset in 0..<rest { word |= UInt64(self[start &+ offset]) &<< UInt64(truncatingIfNeeded: offset &<< 3) }
        return word
    }
}
