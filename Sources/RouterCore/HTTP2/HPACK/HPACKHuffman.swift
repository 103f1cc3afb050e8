/// The Huffman code of RFC 7541, Appendix B.
///
/// The code is canonical: its words follow from their lengths. The tables are made from them once and never freed.
struct HPACKHuffman: @unchecked Sendable {
    // Unchecked, because pointers are not Sendable: the memory is written in the initializer alone, before `shared`
    // can be read, and lives as long as the process.

    static let shared = HPACKHuffman()

    /// The code words, right-aligned, and their lengths.
    private let words: UnsafePointer<UInt32>
    private let lengths: UnsafePointer<UInt8>
    /// By the next eight bits: `symbol << 8 | length`, or 0 when the code word is longer.
    private let short: UnsafePointer<UInt16>
    /// The symbols ordered by their code words.
    private let symbols: UnsafePointer<UInt8>
    /// By length: the first value of 32 bits that is past the words of this length.
    private let ends: UnsafePointer<UInt64>
    /// By length: what to add to a code word of this length to get its place in `symbols`.
    private let offsets: UnsafePointer<Int>

    private static var endOfString: Int { 256 }
    private static var longest: Int { 30 }

    private init() {
        let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 257)
        let lengths = UnsafeMutablePointer<UInt8>.allocate(capacity: 257)
        let short = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        let symbols = UnsafeMutablePointer<UInt8>.allocate(capacity: 257)
        let ends = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.longest + 1)
        let offsets = UnsafeMutablePointer<Int>.allocate(capacity: Self.longest + 1)
        short.initialize(repeating: 0, count: 256)
        ends.initialize(repeating: 0, count: Self.longest + 1)
        offsets.initialize(repeating: 0, count: Self.longest + 1)
        lengths.initialize(from: Self.wordLengths, count: 257)

        var word: UInt32 = 0
        var place = 0
        for length in 5...Self.longest {
            offsets[length] = place - Int(word)
            for symbol in 0...Self.endOfString where Int(lengths[symbol]) == length {
                (words + symbol).initialize(to: word)
                // The end of the string comes last; it is never decoded, so that its place holds nothing of use.
                (symbols + place).initialize(to: UInt8(truncatingIfNeeded: symbol))
                if length <= 8 {
                    let first = Int(word) << (8 - length)
                    for index in first..<(first + 1 << (8 - length)) where index < 256 {
                        short[index] = UInt16(symbol) << 8 | UInt16(length)
                    }
                }
                word += 1
                place += 1
            }
            ends[length] = UInt64(word) << UInt64(32 - length)
            word <<= 1
        }
        self.words = UnsafePointer(words)
        self.lengths = UnsafePointer(lengths)
        self.short = UnsafePointer(short)
        self.symbols = UnsafePointer(symbols)
        self.ends = UnsafePointer(ends)
        self.offsets = UnsafePointer(offsets)
    }

    /// The most bytes that so many coded bytes can stand for: the shortest word has five bits.
    @inline(__always)
    static func decodedLimit(_ count: Int) -> Int { count * 8 / 5 + 1 }

    /// Decodes a string.
    ///
    /// - Parameter output: has room for ``decodedLimit(_:)``.
    /// - Returns: how many bytes were written; nil when the code or its padding is invalid.
    func decode(_ input: UnsafeRawPointer, _ count: Int, into output: UnsafeMutableRawPointer) -> Int? {
        var window: UInt64 = 0  // the bits not yet decoded, left-aligned
        var bits = 0
        var position = 0
        var written = 0
        while true {
            if position &+ 8 <= count {
                let next = UInt64(bigEndian: input.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                window |= next &>> UInt64(bits)
                let taken = (63 &- bits) >> 3
                position &+= taken
                bits &+= taken << 3
            } else {
                while bits <= 56, position < count {
                    let next = input.load(fromByteOffset: position, as: UInt8.self)
                    window |= UInt64(next) &<< UInt64(56 &- bits)
                    position &+= 1
                    bits &+= 8
                }
                if bits < Self.longest { break }
            }
            while bits >= Self.longest {
                var length = Int(self.short[Int(window >> 56)])
                var symbol = UInt8(truncatingIfNeeded: length >> 8)
                length &= 0xFF
                if length == 0 {
                    guard let long = self.long(window) else { return nil }
                    (symbol, length) = long
                }
                output.storeBytes(of: symbol, toByteOffset: written, as: UInt8.self)
                written &+= 1
                window = window &<< UInt64(length)
                bits &-= length
            }
        }
        while bits >= 5 {
            var length = Int(self.short[Int(window >> 56)])
            var symbol = UInt8(truncatingIfNeeded: length >> 8)
            length &= 0xFF
            if length == 0 {
                // Nothing but the end of the string, or its beginning as padding, or a word that is cut off.
                guard let long = self.long(window) else { break }
                (symbol, length) = long
            }
            if length > bits { break }
            output.storeBytes(of: symbol, toByteOffset: written, as: UInt8.self)
            written &+= 1
            window = window &<< UInt64(length)
            bits &-= length
        }
        // Padding is at most seven bits, all ones (RFC 7541, 5.2).
        guard bits < 8, window == ~(UInt64.max >> UInt64(bits)) else { return nil }
        return written
    }

    /// The symbol of a word of more than eight bits; nil for the end of the string.
    @inline(never)
    private func long(_ window: UInt64) -> (UInt8, Int)? {
        let value = window >> 32
        var length = 9
        while length < Self.longest, value >= self.ends[length] { length += 1 }
        // The last word of the longest ones is the end of the string.
        if length == Self.longest, value >= self.ends[length] - 4 { return nil }
        return (self.symbols[Int(value >> UInt64(32 - length)) + self.offsets[length]], length)
    }

    /// How many bytes a string has in this code.
    func encodedLength(_ input: UnsafeRawPointer, _ count: Int) -> Int {
        var bits = 0
        for index in 0..<count {
            bits &+= Int(self.lengths[Int(input.load(fromByteOffset: index, as: UInt8.self))])
        }
        return (bits + 7) / 8
    }

    /// Encodes a string.
    ///
    /// - Parameter output: has room for ``encodedLength(_:_:)``.
    func encode(_ input: UnsafeRawPointer, _ count: Int, into output: UnsafeMutableRawPointer) {
        var window: UInt64 = 0  // right-aligned
        var bits = 0
        var written = 0
        for index in 0..<count {
            let symbol = Int(input.load(fromByteOffset: index, as: UInt8.self))
            let length = Int(self.lengths[symbol])
            window = window &<< UInt64(length) | UInt64(self.words[symbol])
            bits &+= length
            while bits >= 8 {
                bits &-= 8
                output.storeBytes(
                    of: UInt8(truncatingIfNeeded: window &>> UInt64(bits)), toByteOffset: written, as: UInt8.self)
                written &+= 1
            }
        }
        if bits > 0 {
            let padded = window << UInt64(8 - bits) | UInt64(0xFF >> bits)
            output.storeBytes(of: UInt8(truncatingIfNeeded: padded), toByteOffset: written, as: UInt8.self)
        }
    }

    /// The lengths of the code words, in bits, for the bytes 0 to 255 and the end of the string.
    private static let wordLengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
        28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
        6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
        21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ]
}
