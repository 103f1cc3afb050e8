import CPackChecksum
import Testing

@testable import GitReceiver

/// The checksums of packs, and the hashing of names.
struct `A checksum` {
    @Test func `is the same with and without the processor's instructions for it`() {
        var random = SeededRandom(seed: 7)
        for count in [0, 1, 2, 3, 17, 64, 200] {
            let bytes = (0..<count * 64).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var one = (0..<5).map { _ in UInt32(truncatingIfNeeded: random.next()) }
            var other = one
            bytes.withUnsafeBufferPointer { bytes in
                slipway_sha1_compress(&one, bytes.baseAddress, count)
                slipway_sha1_compress_portable(&other, bytes.baseAddress, count)
            }
            #expect(one == other)
        }
        // "abc", padded by hand: the example of the standard.
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        let block = Array("abc".utf8) + [0x80] + [UInt8](repeating: 0, count: 59) + [24]
        slipway_sha1_compress_portable(&state, block, 1)
        #expect(state == [0xA999_3E36, 0x4706_816A, 0xBA3E_2571, 0x7850_C26C, 0x9CD0_D89D])
    }

    @Test func `takes nothing from nowhere`() {
        var checksum = StreamChecksum()
        checksum.update(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(checksum.finish() == SHA1.hash([]))
    }

    @Test func `of a name depends on all of it`() throws {
        let hashes = try (0..<100).map { number in
            let end = String(repeating: "0", count: 22) + String(number + 100)
            return try #require(ObjectID("0123456789abcde" + end)).hashValue
        }
        #expect(Set(hashes).count == 100)
    }
}
