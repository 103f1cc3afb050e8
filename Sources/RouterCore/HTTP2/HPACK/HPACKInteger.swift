/// Integers as HPACK writes them (RFC 7541, 5.1): in what is left of a byte, or after it in groups of seven bits.
enum HPACKInteger {
    /// Larger ones are refused; no length, index or table size comes near.
    static let limit = 1 << 24

    /// Reads an integer at `position` and moves on; nil when it is cut off or too large.
    @inline(__always)
    static func read(_ block: UnsafeRawBufferPointer, _ position: inout Int, prefix: Int) -> Int? {
        let mask = 1 << prefix &- 1
        let first = Int(block[position]) & mask
        position &+= 1
        return first < mask ? first : self.readLong(block, &position, first)
    }

    @inline(never)
    private static func readLong(_ block: UnsafeRawBufferPointer, _ position: inout Int, _ first: Int) -> Int? {
        var value = first
        var shift = 0
        while position < block.count, shift <= 28 {
            let byte = Int(block[position])
            position &+= 1
            value &+= (byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value <= self.limit ? value : nil }
            shift &+= 7
        }
        return nil
    }

    /// Appends an integer; `pattern` is what the first byte says besides.
    @inline(__always)
    static func write(_ value: Int, prefix: Int, pattern: UInt8, into out: inout ScratchBytes) {
        let mask = 1 << prefix &- 1
        if value < mask {
            out.append(pattern | UInt8(truncatingIfNeeded: value))
            return
        }
        out.append(pattern | UInt8(truncatingIfNeeded: mask))
        var rest = value &- mask
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
    }
}
