/// The SHA-1 name of an object, packed into three integers so that sets of millions stay small.
///
/// All of it is hashed, with the process's seed: clients choose names, and could choose many whose beginnings are the same.
struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
    private var high: UInt64
    private var middle: UInt64
    private var low: UInt32

    static let zero = ObjectID(high: 0, middle: 0, low: 0)

    private init(high: UInt64, middle: UInt64, low: UInt32) {
        self.high = high
        self.middle = middle
        self.low = low
    }

    /// The 20 bytes of a raw name, as trees hold them; nil for any other count.
    init?(raw: some Collection<UInt8>) {
        guard raw.count == 20 else { return nil }
        self = .zero
        for (index, byte) in raw.enumerated() { self.set(byte, at: index) }
    }

    /// The 20 bytes at a place that has them.
    init(raw bytes: UnsafeRawBufferPointer, at offset: Int) {
        self.high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        self.middle = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
        self.low = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self))
    }

    /// Exactly 40 lower-case hexadecimal digits.
    init?(hex: some Collection<UInt8>) {
        guard hex.count == 40 else { return nil }
        self = .zero
        var pending: UInt8 = 0
        for (index, digit) in hex.enumerated() {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if index.isMultiple(of: 2) { pending = value << 4 } else { self.set(pending | value, at: index / 2) }
        }
    }

    init?(_ text: String) { self.init(hex: text.utf8) }

    var isZero: Bool { self == .zero }

    static func < (one: ObjectID, other: ObjectID) -> Bool {
        if one.high != other.high { return one.high < other.high }
        return one.middle != other.middle ? one.middle < other.middle : one.low < other.low
    }

    func byte(at index: Int) -> UInt8 {
        switch index {
        case 0..<8: UInt8(truncatingIfNeeded: self.high >> UInt64(56 - 8 * index))
        case 8..<16: UInt8(truncatingIfNeeded: self.middle >> UInt64(56 - 8 * (index - 8)))
        default: UInt8(truncatingIfNeeded: self.low >> UInt32(24 - 8 * (index - 16)))
        }
    }

    private mutating func set(_ byte: UInt8, at index: Int) {
        switch index {
        case 0..<8: self.high |= UInt64(byte) << UInt64(56 - 8 * index)
        case 8..<16: self.middle |= UInt64(byte) << UInt64(56 - 8 * (index - 8))
        default: self.low |= UInt32(byte) << UInt32(24 - 8 * (index - 16))
        }
    }

    var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 40) { buffer in
            for index in 0..<20 {
                let byte = self.byte(at: index)
                buffer[2 * index] = digits[Int(byte >> 4)]
                buffer[2 * index + 1] = digits[Int(byte & 15)]
            }
            return 40
        }
    }

    /// The first seven digits, as people write them.
    var short: String { String(self.description.prefix(7)) }
}
