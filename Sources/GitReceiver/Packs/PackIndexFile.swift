import SystemPackage

/// The index of a pack, as git's version 2 has it: counts, names, checksums of the packed bytes, offsets.
enum PackIndexFile {
    struct Entry {
        var oid: ObjectID
        var crc: UInt32
        var offset: Int
    }

    /// Writes an index.
    ///
    /// - Parameter entries: sorted by name.
    static func write(
        _ entries: [Entry], packChecksum: [UInt8], to path: FilePath
    ) throws(GitReceiverError) {
        let file = try PackFile(creating: path)
        var bytes: [UInt8] = [0xFF, 0x74, 0x4F, 0x63, 0, 0, 0, 2]
        bytes.reserveCapacity(1 << 18)
        func put(_ number: UInt32) {
            for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        func flush(_ limit: Int = 1 << 18 - 64) throws(GitReceiverError) {
            guard bytes.count > limit else { return }
            try file.append(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
        var position = 0
        for first in 0..<256 {
            while position < entries.count, Int(entries[position].oid.byte(at: 0)) == first { position += 1 }
            put(UInt32(position))
        }
        for entry in entries {
            for index in 0..<20 { bytes.append(entry.oid.byte(at: index)) }
            try flush()
        }
        for entry in entries {
            put(entry.crc)
            try flush()
        }
        var large: [Int] = []
        for entry in entries {
            if entry.offset < 0x8000_0000 {
                put(UInt32(entry.offset))
            } else {
                put(0x8000_0000 | UInt32(large.count))
                large.append(entry.offset)
            }
            try flush()
        }
        for offset in large {
            put(UInt32(truncatingIfNeeded: offset >> 32))
            put(UInt32(truncatingIfNeeded: offset))
            try flush()
        }
        bytes += packChecksum
        try flush(0)
        let digest = file.finishDigest()
        try digest.withRaw { bytes throws(GitReceiverError) in try file.write(bytes) }
        try file.sync()
    }

    /// What a pack is called: by the names of its objects, so that the same objects have the same name.
    static func name(_ entries: [Entry]) -> String {
        var checksum = StreamChecksum()
        for entry in entries {
            var oid = entry.oid.git
            withUnsafeBytes(of: &oid) { checksum.update($0) }
        }
        return "pack-" + (ObjectID(raw: checksum.finish())?.description ?? "")
    }
}
