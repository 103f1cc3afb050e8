import CPackChecksum
import CZlib

/// The SHA-1 of bytes that pass: what stands at the end of packs and indexes.
struct StreamChecksum: Sendable {
    private var state = slipway_sha1()

    init() { slipway_sha1_start(&self.state) }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        slipway_sha1_update(&self.state, bytes.baseAddress, bytes.count)
    }

    /// The checksum of everything so far, after which there is no more.
    mutating func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
            slipway_sha1_finish(&self.state, buffer.baseAddress)
            count = 20
        }
    }

    /// The name of an object. For one that libgit2 has named before: its hash is slower, because it looks for attacks.
    static func name(_ kind: ObjectKind, _ data: UnsafeRawBufferPointer) -> ObjectID? {
        var checksum = StreamChecksum()
        Array("\(kind.name) \(data.count)\0".utf8).withUnsafeBytes { checksum.update($0) }
        checksum.update(data)
        return ObjectID(raw: checksum.finish())
    }
}

/// The CRC-32 of bytes that pass: what an index says of each entry.
struct CRC32: Sendable {
    private(set) var value: UInt32 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard var pointer = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        var rest = bytes.count
        while rest > 0 {
            let count = min(rest, 1 << 30)
            self.value = UInt32(crc32(UInt(self.value), pointer, UInt32(count)))
            pointer += count
            rest -= count
        }
    }
}
