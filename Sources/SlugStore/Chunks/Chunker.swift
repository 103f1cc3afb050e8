/// Cuts a stream of bytes into chunks at places that its content chooses (FastCDC with normalised chunking), so that an
/// insertion changes the chunks around it and no other.
///
/// The parameters and the gear table are part of the format: another cut gives other chunk identifiers and other slugs.
struct Chunker: Sendable {
    /// No cut before this many bytes.
    let minimum: Int
    /// Below this the cut is made hard to find, above it easy, so that lengths gather around it. A power of two.
    let average: Int
    /// A cut here at the latest.
    let maximum: Int

    /// A cut is where the fingerprint is less: its upper bits are then 0.
    private let hardBound: UInt64
    private let easyBound: UInt64

    /// What files are cut with: 64 KiB on average.
    static let files = Chunker(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10)
    /// What manifests and the lists of their chunks are cut with: much smaller, so that a release which changed one file
    /// stores little of its manifest anew.
    static let manifests = Chunker(minimum: 128, average: 512, maximum: 2 << 10)

    /// Files up to this size are one chunk: looking for cuts in them costs more than it can save.
    static let wholeFileLimit = 64 << 10

    init(minimum: Int, average: Int, maximum: Int) {
        precondition(0 < minimum && minimum < average && average < maximum && average.nonzeroBitCount == 1)
        self.minimum = minimum
        self.average = average
        self.maximum = maximum
        let bits = average.trailingZeroBitCount
        self.hardBound = 1 << UInt64(64 - (bits + 2))
        self.easyBound = 1 << UInt64(64 - (bits - 2))
    }

    /// The length of the first chunk of `bytes`. If more bytes may follow, `bytes` must hold at least ``maximum`` of them.
    func firstCut(in bytes: UnsafeRawBufferPointer) -> Int {
        let end = min(bytes.count, self.maximum)
        guard end > self.minimum else { return end }
        // The top bits of the fingerprint depend on the last 64 bytes: each step shifts one byte's influence out.
        var fingerprint: UInt64 = 0
        return Gear.table.withUnsafeBufferPointer { gear in
            let middle = min(self.average, end)
            return Self.cut(bytes, self.minimum..<middle, &fingerprint, below: self.hardBound, gear)
                ?? Self.cut(bytes, middle..<end, &fingerprint, below: self.easyBound, gear) ?? end
        }
    }

    /// The first place in the range at which the fingerprint is below a bound; `nil` when there is none.
    private static func cut(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ fingerprint: inout UInt64, below bound: UInt64,
        _ gear: UnsafeBufferPointer<UInt64>
    ) -> Int? {
        var (index, sum) = (range.lowerBound, fingerprint)
        // Four bytes at a time: what they add does not wait for the fingerprint before them, so that the processor waits for
        // one sum where it would for four.
        while index < range.upperBound - 3 {
            let first = gear[Int(bytes[index])]
            let second = (first &<< 1) &+ gear[Int(bytes[index + 1])]
            let third = (second &<< 1) &+ gear[Int(bytes[index + 2])]
            let fourth = (third &<< 1) &+ gear[Int(bytes[index + 3])]
            if (sum &<< 1) &+ first < bound { return index + 1 }
            if (sum &<< 2) &+ second < bound { return index + 2 }
            if (sum &<< 3) &+ third < bound { return index + 3 }
            sum = (sum &<< 4) &+ fourth
            index += 4
            if sum < bound { return index }
        }
        while index < range.upperBound {
            sum = (sum &<< 1) &+ gear[Int(bytes[index])]
            index += 1
            if sum < bound { return index }
        }
        fingerprint = sum
        return nil
    }
}

/// The 256 random words of the rolling hash.
enum Gear {
    /// SplitMix64 from a fixed seed: any reader of the format can make the same table.
    static let table: [UInt64] = {
        var state: UInt64 = 0x736c_7567_2d76_3031  // "slug-v01"
        return (0..<256).map { _ in
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }()
}
