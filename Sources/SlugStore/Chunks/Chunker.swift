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

    private let hardShift: UInt64
    private let easyShift: UInt64

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
        self.hardShift = UInt64(64 - (bits + 2))
        self.easyShift = UInt64(64 - (bits - 2))
    }

    /// The length of the first chunk of `bytes`. If more bytes may follow, `bytes` must hold at least ``maximum`` of them.
    func firstCut(in bytes: UnsafeRawBufferPointer) -> Int {
        let end = min(bytes.count, self.maximum)
        guard end > self.minimum else { return end }
        let middle = min(self.average, end)
        var fingerprint: UInt64 = 0
        var index = self.minimum
        // The top bits of the fingerprint depend on the last 64 bytes: each step shifts one byte's influence out.
        return Gear.table.withUnsafeBufferPointer { gear in
            while index < middle {
                fingerprint = (fingerprint << 1) &+ gear[Int(bytes[index])]
                index += 1
                if fingerprint >> self.hardShift == 0 { return index }
            }
            while index < end {
                fingerprint = (fingerprint << 1) &+ gear[Int(bytes[index])]
                index += 1
                if fingerprint >> self.easyShift == 0 { return index }
            }
            return end
        }
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
