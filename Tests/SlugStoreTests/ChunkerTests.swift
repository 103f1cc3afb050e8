import CSlugStoreIO
import SlugStoreTesting
import Testing

@testable import SlugStore

@Suite struct ChunkerTests {
    private func cuts(_ bytes: [UInt8], _ chunker: Chunker) -> [Int] {
        bytes.withUnsafeBytes { bytes in
            var (rest, lengths) = (bytes, [Int]())
            while !rest.isEmpty {
                lengths.append(chunker.firstCut(in: rest))
                rest = UnsafeRawBufferPointer(rebasing: rest[lengths[lengths.count - 1]...])
            }
            return lengths
        }
    }

    private func chunks(_ bytes: [UInt8]) -> Set<ChunkID> {
        var start = 0
        return Set(
            self.cuts(bytes, .files).map { length in
                defer { start += length }
                return ChunkID(of: Array(bytes[start..<start + length]))
            })
    }

    @Test func `keeps to its limits and near its average`() {
        var random = SeededGenerator(seed: 3)
        let bytes = random.bytes(6 << 20)
        let lengths = self.cuts(bytes, .files)
        #expect(lengths.reduce(0, +) == bytes.count)
        #expect(lengths.dropLast().allSatisfy { (16 << 10...256 << 10).contains($0) })
        #expect((40 << 10...110 << 10).contains(bytes.count / lengths.count))
    }

    @Test func `cuts uniform bytes at the maximum`() {
        #expect(self.cuts([UInt8](repeating: 0, count: 600 << 10), .files) == [256 << 10, 256 << 10, 88 << 10])
    }

    @Test(arguments: [0, 1, 1_000_000, 1_999_999])
    func `changes few chunks for an insertion`(position: Int) {
        var random = SeededGenerator(seed: 4)
        let before = random.bytes(2_000_000)
        var after = before
        after.insert(contentsOf: [1, 2, 3, 4, 5], at: position)
        let (old, new) = (self.chunks(before), self.chunks(after))
        #expect(old.count > 15)
        #expect(new.subtracting(old).count <= 3)
    }

    /// Byte by byte, as the document of the format says it.
    private func plainCut(_ bytes: ArraySlice<UInt8>, _ chunker: Chunker) -> Int {
        let bits = UInt64(chunker.average.trailingZeroBitCount)
        var fingerprint: UInt64 = 0
        for (index, byte) in bytes.prefix(chunker.maximum).enumerated() where index >= chunker.minimum {
            fingerprint = (fingerprint << 1) &+ Gear.table[Int(byte)]
            if fingerprint >> (64 - (index < chunker.average ? bits + 2 : bits - 2)) == 0 { return index + 1 }
        }
        return min(bytes.count, chunker.maximum)
    }

    @Test(arguments: [(5, 16, 61), (128, 512, 2048), (7, 8, 9)])
    func `cuts where one that looks at each byte does`(minimum: Int, average: Int, maximum: Int) {
        let chunker = Chunker(minimum: minimum, average: average, maximum: maximum)
        var random = SeededGenerator(seed: 6)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int.random(in: 0...maximum + 3, using: &random))
            #expect(bytes.withUnsafeBytes { chunker.firstCut(in: $0) } == self.plainCut(bytes[...], chunker))
        }
    }

    /// A change here is a change of the format: every repository would store every file anew.
    @Test func `cuts where version 1 of the format does`() {
        var random = SeededGenerator(seed: 5)
        #expect(self.cuts(random.bytes(400_000), .files) == [69920, 45421, 97384, 70182, 66560, 50533])
        #expect(Gear.table[0] == 8_836_593_745_839_369_217)
        #expect(Gear.table[255] == 18_400_382_083_440_450_187)
    }
}

@Suite struct ChecksumTests {
    /// The check value of CRC-32C, and what is longer than the instruction takes at once, from any place.
    @Test func `is CRC-32C`() {
        let bytes: [UInt8] = (0..<3).flatMap { _ in 0...255 as ClosedRange<UInt8> } + [0x78]
        #expect(slipway_crc32c("123456789", 9) == 0xe306_9283)
        #expect(slipway_crc32c(bytes, bytes.count) == 0x08e6_7c3d)
        #expect(slipway_crc32c(bytes, 0) == 0)
        let shifted = [0] + bytes
        shifted.withUnsafeBytes { #expect(slipway_crc32c($0.baseAddress.map { $0 + 1 }, bytes.count) == 0x08e6_7c3d) }
    }
}
