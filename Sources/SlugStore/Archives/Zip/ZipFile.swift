/// The bytes of a zip archive, to be read in any order.
struct ZipFile {
    let file: Descriptor
    let bytes: Int64

    init(_ file: Descriptor, limit: Int64) throws(SlugStoreError) {
        self.file = file
        self.bytes = try file.size
        guard self.bytes <= limit else {
            throw SlugStoreError(
                code: .limitExceeded, message: "The archive has more than \(limit) bytes, which is the limit.")
        }
    }

    /// Exactly so many bytes from there.
    func read(_ count: Int, at offset: Int64, _ what: @autoclosure () -> String) throws(SlugStoreError) -> ZipFields {
        guard offset >= 0, Int64(count) <= self.bytes - offset else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The zip archive is cut off or damaged: \(what()) is beyond its end.")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try self.file.read(at: UInt64(offset), into: buffer, "Reading the archive")
        }
        guard read == count else {
            throw SlugStoreError(code: .invalidArchive, message: "The archive became shorter while it was read.")
        }
        return ZipFields(bytes[...])
    }
}

/// Little-endian numbers at places that are known to be there.
struct ZipFields {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    func word(_ offset: Int) -> UInt16 { UInt16(self.number(offset, 2)) }
    func long(_ offset: Int) -> UInt32 { UInt32(self.number(offset, 4)) }
    func quad(_ offset: Int) -> UInt64 { self.number(offset, 8) }

    subscript(range: Range<Int>) -> ArraySlice<UInt8> {
        self.bytes[(self.bytes.startIndex + range.lowerBound)..<(self.bytes.startIndex + range.upperBound)]
    }

    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        self[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
