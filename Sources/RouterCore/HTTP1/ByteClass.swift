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

    /// Eight bytes in lower case. Only bytes that are `A`–`Z` change: adding to their low seven bits what carries `A` and
    /// `Z + 1` to 128 tells, eight at a time, which ones those are.
    @inline(__always)
    static func lowercased(_ word: UInt64) -> UInt64 {
        let low = word & 0x7F7F_7F7F_7F7F_7F7F
        let fromA = low &+ 0x3F3F_3F3F_3F3F_3F3F
        let pastZ = low &+ 0x2525_2525_2525_2525
        let upper = (fromA ^ pastZ) & ~word & 0x8080_8080_8080_8080
        return word | (upper >> 2)
    }

    /// The highest bit of each of eight bytes that is a control character; tab is one here.
    @inline(__always)
    static func controls(in word: UInt64) -> UInt64 {
        let low = word & 0x7F7F_7F7F_7F7F_7F7F
        let isPrintable = low &+ 0x6060_6060_6060_6060
        let isDelete = low &+ 0x0101_0101_0101_0101
        return (~isPrintable | isDelete) & ~word & 0x8080_8080_8080_8080
    }

    /// The highest bit of each of eight bytes that is neither a letter nor a hyphen.
    @inline(__always)
    static func othersThanLetters(in word: UInt64) -> UInt64 {
        let low = (word | 0x2020_2020_2020_2020) & 0x7F7F_7F7F_7F7F_7F7F
        let isLetter = (low &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(low &+ 0x0505_0505_0505_0505)
        let isHyphen = ~((word ^ 0x2D2D_2D2D_2D2D_2D2D) &+ 0x7F7F_7F7F_7F7F_7F7F)
        return (~(isLetter | isHyphen) | word) & 0x8080_8080_8080_8080
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
        let count = self.count
        guard count == word.utf8CodeUnitCount else { return false }
        let other = UnsafeRawBufferPointer(start: word.utf8Start, count: count)
        var position = 0
        while position &+ 8 <= count {
            guard ByteClass.lowercased(self.word(at: position)) == other.word(at: position) else { return false }
            position &+= 8
        }
        while position < count {
            guard ByteClass.lowercased(self[position]) == other[position] else { return false }
            position &+= 1
        }
        return true
    }

    /// Eight bytes, the first one lowest.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Where the first byte after `start` is that a token may not hold; the buffer's end when there is none.
    @inline(__always)
    func endOfToken(from start: Int) -> Int {
        var position = start
        while position &+ 8 <= self.count {
            let others = ByteClass.othersThanLetters(in: self.word(at: position))
            if others == 0 {
                position &+= 8
                continue
            }
            position &+= others.trailingZeroBitCount &>> 3
            // Rarely, it is a digit or a sign.
            guard ByteClass.isToken(self[position]) else { return position }
            position &+= 1
        }
        while position < self.count, ByteClass.isToken(self[position]) { position &+= 1 }
        return position
    }

    /// Where the first byte after `start` is that a field's value may not hold; the buffer's end when there is none.
    @inline(__always)
    func endOfFieldValue(from start: Int) -> Int {
        var position = start
        while position &+ 8 <= self.count {
            let controls = ByteClass.controls(in: self.word(at: position))
            if controls == 0 {
                position &+= 8
                continue
            }
            position &+= controls.trailingZeroBitCount &>> 3
            guard self[position] == ByteClass.tab else { return position }
            position &+= 1
        }
        while position < self.count, ByteClass.isFieldValue(self[position]) { position &+= 1 }
        return position
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
