/// The character classes of RFC 9110 as bit sets, so that a test is a shift and an `and`, without a table in memory.
enum ByteClass {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3A

    /// `tchar`: what methods and field names are made of.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        if byte < 64 { return (0x03FF_6CFA_0000_0000 as UInt64) & (1 << UInt64(byte)) != 0 }
        if byte < 128 { return (0x57FF_FFFF_C7FF_FFFE as UInt64) & (1 << UInt64(byte - 64)) != 0 }
        return false
    }

    /// What a field value may hold: visible characters, space, tab and bytes above ASCII; never CR, LF, NUL, DEL.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool {
        (byte >= 0x20 && byte != 0x7F) || byte == self.tab
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        self.isDigit(byte) || (byte | 0x20) &- 0x61 < 26
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// The value of a hexadecimal digit.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if self.isDigit(byte) { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter + 10 : nil
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes spell `word`, which must be lower-case ASCII, in any case.
    @inline(__always)
    func spells(_ word: StaticString) -> Bool {
        guard self.count == word.utf8CodeUnitCount else { return false }
        let start = word.utf8Start
        for index in 0..<self.count where ByteClass.lowercased(self[index]) != start[index] { return false }
        return true
    }

    @inline(__always)
    subscript(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Int(range.lower)..<Int(range.upper)])
    }
}

/// A half-open range of offsets into a head; half the size of `Range<Int>`, because a head has one per field.
struct ByteRange: Equatable {
    var lower: Int32
    var upper: Int32

    @inline(__always)
    init(_ lower: Int, _ upper: Int) {
        self.lower = Int32(truncatingIfNeeded: lower)
        self.upper = Int32(truncatingIfNeeded: upper)
    }

    static let empty = ByteRange(0, 0)
    var isEmpty: Bool { self.lower == self.upper }
    var count: Int { Int(self.upper - self.lower) }
}
