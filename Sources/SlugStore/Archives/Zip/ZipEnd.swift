/// What the end of a zip archive says: where the directory of its entries is.
struct ZipEnd {
    var entries: Int
    var directoryOffset: Int64
    var directoryBytes: Int64

    private static let signature: UInt32 = 0x0605_4b50
    private static let bytes = 22

    /// Finds the one record that ends the archive. Only a comment may follow it, and that must not look like another.
    init(_ file: ZipFile) throws(SlugStoreError) {
        let count = Int(min(file.bytes, Int64(Self.bytes + Int(UInt16.max))))
        let tail = try file.read(count, at: file.bytes - Int64(count), "its end")
        var found: [Int] = []
        var last: Int?
        if count >= Self.bytes {
            for offset in 0...(count - Self.bytes) where tail.long(offset) == Self.signature {
                // Those bytes can be part of what is compressed; there, what follows does not end with the archive.
                if offset + Self.bytes + Int(tail.word(offset + 20)) == count { found.append(offset) }
                last = offset
            }
        }
        guard let start = found.first else {
            throw Self.invalid(
                "The zip archive is cut off, or something follows it: the record that ends it is missing.")
        }
        // Some programs take the last that looks like one, whatever follows it.
        guard found.count == 1, last == start else {
            throw Self.invalid("The zip archive has two ends, and so two meanings.")
        }
        let end = ZipFields(tail[start..<start + Self.bytes])
        guard end.word(4) == 0, end.word(6) == 0, end.word(8) == end.word(10) else {
            throw Self.invalid("The zip archive is one part of several. Send it in one piece.")
        }
        let position = file.bytes - Int64(count - start)
        self.entries = Int(end.word(10))
        self.directoryBytes = Int64(end.long(12))
        self.directoryOffset = Int64(end.long(16))
        let directoryEnd = try self.extend(end, at: position, in: file)
        guard self.directoryOffset >= 0, self.directoryBytes >= 0,
            self.directoryOffset.addingReportingOverflow(self.directoryBytes).partialValue == directoryEnd
        else {
            throw Self.invalid(
                "The zip archive's directory is not where its end says it is: something was put before or into it.")
        }
    }

    /// Takes what is too large for the record from another before it (zip64).
    /// - Returns: Where the directory has to end.
    private mutating func extend(
        _ end: ZipFields, at position: Int64, in file: ZipFile
    ) throws(SlugStoreError) -> Int64 {
        let mustExtend = end.word(10) == .max || end.long(12) == .max || end.long(16) == .max
        let locatorBytes: Int64 = 20
        guard position >= locatorBytes else {
            guard !mustExtend else { throw Self.invalid("The zip archive's zip64 record is missing.") }
            return position
        }
        let locator = try file.read(Int(locatorBytes), at: position - locatorBytes, "the place of its zip64 record")
        guard locator.long(0) == 0x0706_4b50 else {
            guard !mustExtend else { throw Self.invalid("The zip archive's zip64 record is missing.") }
            return position
        }
        let start = Int64(clamping: locator.quad(8))
        let large = try file.read(56, at: start, "its zip64 record")
        guard large.long(0) == 0x0606_4b50, locator.long(4) == 0, locator.long(16) <= 1, large.long(16) == 0,
            large.long(20) == 0, large.quad(24) == large.quad(32),
            Int64(clamping: large.quad(4)) == position - locatorBytes - start - 12
        else { throw Self.invalid("The zip archive's zip64 record is damaged.") }
        let (entries, bytes, offset) = (large.quad(32), large.quad(40), large.quad(48))
        guard end.word(10) == .max || UInt64(end.word(10)) == entries,
            end.long(12) == .max || UInt64(end.long(12)) == bytes,
            end.long(16) == .max || UInt64(end.long(16)) == offset
        else { throw Self.invalid("The zip archive has two ends that disagree.") }
        self.entries = Int(clamping: entries)
        self.directoryBytes = Int64(clamping: bytes)
        self.directoryOffset = Int64(clamping: offset)
        return start
    }

    private static func invalid(_ message: String) -> SlugStoreError {
        SlugStoreError(code: .invalidArchive, message: message)
    }
}
