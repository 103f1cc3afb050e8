/// The content of one entry of a zip archive, checked against all that the archive says of it.
final class ZipContent {
    private let entry: ZipEntry
    private let file: ZipFile
    /// Where the next entry begins.
    private let end: Int64
    private let contentEnd: Int64
    private var position: Int64
    private var consumed: Int64 = 0
    private let inflater: Inflater?
    private var input: [UInt8] = []
    private var used = 0
    private var produced: Int64 = 0
    private var crc: UInt32 = 0
    private var hasEnded = false

    private static let localBytes: Int64 = 30

    init(_ entry: ZipEntry, in file: ZipFile, end: Int64) throws(SlugStoreError) {
        self.entry = entry
        self.file = file
        self.end = end
        let shown = printable(entry.name)
        let local = try file.read(Int(Self.localBytes), at: entry.offset, "the header of \(shown)")
        let nameBytes = Int(local.word(26))
        guard local.long(0) == 0x0403_4b50, nameBytes == entry.name.count else { throw Self.disagrees(shown, "name") }
        let rest = try file.read(
            nameBytes + Int(local.word(28)), at: entry.offset + Self.localBytes, "the header of \(shown)")
        guard rest[0..<nameBytes].elementsEqual(entry.name) else { throw Self.disagrees(shown, "name") }
        let extra = try ZipExtra(rest.bytes.dropFirst(nameBytes), of: shown)
        try extra.check(name: entry.name, shown)
        // All but how hard the compressor tried.
        let mask: UInt16 = ~0b110
        guard local.word(6) & mask == entry.flags & mask else { throw Self.disagrees(shown, "flags") }
        guard local.word(8) == entry.method.rawValue else { throw Self.disagrees(shown, "compression") }
        var large = extra.large
        let bytes = try large.take(local.long(22), shown)
        let storedBytes = try large.take(local.long(18), shown)
        // What is described later is 0 here, or known already.
        guard bytes == entry.bytes || entry.isDescribedLater && bytes == 0,
            storedBytes == entry.storedBytes || entry.isDescribedLater && storedBytes == 0
        else { throw Self.disagrees(shown, "size") }
        guard local.long(14) == entry.crc || entry.isDescribedLater && local.long(14) == 0 else {
            throw Self.disagrees(shown, "checksum")
        }
        self.position = entry.offset + Self.localBytes + Int64(rest.bytes.count)
        let (contentEnd, overflows) = self.position.addingReportingOverflow(entry.storedBytes)
        guard !overflows, contentEnd <= end else {
            throw ZipEntry.invalid("\(shown) reaches into the entry after it")
        }
        self.contentEnd = contentEnd
        guard entry.method == .deflated || entry.bytes == entry.storedBytes else { throw Self.disagrees(shown, "size") }
        self.inflater = entry.method == .deflated ? try Inflater(.raw) : nil
        self.consumed = self.position - entry.offset
        try Self.checkDescription(of: entry, from: contentEnd, to: end, in: file)
    }

    /// Between the content and the next entry there is what was not known before the content, or nothing.
    private static func checkDescription(
        of entry: ZipEntry, from start: Int64, to end: Int64, in file: ZipFile
    ) throws(SlugStoreError) {
        let shown = printable(entry.name)
        let gap = end - start
        guard entry.isDescribedLater else {
            guard gap == 0 else { throw ZipEntry.invalid("\(gap) bytes after \(shown) belong to no entry") }
            return
        }
        guard [12, 16, 20, 24].contains(gap) else {
            throw ZipEntry.invalid("\(shown) is not followed by its sizes, but by \(gap) bytes")
        }
        let fields = try file.read(Int(gap), at: start, "the sizes of \(shown)")
        // With a signature or without, with sizes of 32 bits or of 64.
        let at = gap == 16 || gap == 24 ? 4 : 0
        guard at == 0 || fields.long(0) == 0x0807_4b50 else { throw Self.disagrees(shown, "size") }
        let sizes =
            gap >= 20
            ? (fields.quad(at + 4), fields.quad(at + 12))
            : (UInt64(fields.long(at + 4)), UInt64(fields.long(at + 8)))
        guard fields.long(at) == entry.crc, sizes == (UInt64(entry.storedBytes), UInt64(entry.bytes)) else {
            throw Self.disagrees(shown, "size or checksum")
        }
    }

    /// The bytes of the archive that were used since the last call.
    func takeConsumed() -> Int64 {
        defer { self.consumed = 0 }
        return self.consumed
    }

    /// The next bytes; 0 at the end, when all that the archive says of the content is true.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SlugStoreError) -> Int {
        let count = try self.inflater == nil ? self.copy(into: buffer) : self.inflate(into: buffer)
        if count == 0 {
            guard self.produced == self.entry.bytes, self.crc == self.entry.crc else {
                throw ZipEntry.invalid(
                    "\(printable(self.entry.name)) is damaged: its content is not what its checksum or size says")
            }
            return 0
        }
        self.produced += Int64(count)
        guard self.produced <= self.entry.bytes else {
            throw ZipEntry.invalid(
                "\(printable(self.entry.name)) is longer than the \(self.entry.bytes) bytes that it says")
        }
        self.crc = crc32(UnsafeRawBufferPointer(rebasing: buffer[..<count]), from: self.crc)
        return count
    }

    private func copy(into buffer: UnsafeMutableRawBufferPointer) throws(SlugStoreError) -> Int {
        let count = Int(min(Int64(buffer.count), self.contentEnd - self.position))
        let read = try self.file.file.read(
            at: UInt64(self.position), into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]),
            "Reading the archive")
        self.position += Int64(read)
        self.consumed += Int64(read)
        return read
    }

    private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws(SlugStoreError) -> Int {
        guard let inflater, !self.hasEnded else { return 0 }
        while true {
            if self.used == self.input.count, self.position < self.contentEnd {
                let count = Int(min(64 << 10, self.contentEnd - self.position))
                self.input = Array(
                    try self.file.read(count, at: self.position, "the content of \(printable(self.entry.name))").bytes)
                self.used = 0
                self.position += Int64(count)
                self.consumed += Int64(count)
            }
            let step: (consumed: Int, produced: Int, status: Inflater.Status)
            do throws(Inflater.Malformed) {
                step = try self.input.withUnsafeBytes { input in
                    Result { () throws(Inflater.Malformed) in
                        try inflater.inflate(UnsafeRawBufferPointer(rebasing: input[self.used...]), into: buffer)
                    }
                }.get()
            } catch {
                throw ZipEntry.invalid("\(printable(self.entry.name)) is damaged: \(error.what)")
            }
            self.used += step.consumed
            if step.status == .ended {
                guard self.used == self.input.count, self.position == self.contentEnd else {
                    throw ZipEntry.invalid("something comes after the content of \(printable(self.entry.name))")
                }
                self.hasEnded = true
                return step.produced
            }
            if step.produced > 0 { return step.produced }
            guard step.consumed > 0 || self.position < self.contentEnd else {
                throw ZipEntry.invalid("the content of \(printable(self.entry.name)) is cut off")
            }
        }
    }

    private static func disagrees(_ shown: String, _ what: String) -> SlugStoreError {
        ZipEntry.invalid(
            "the zip archive says two things of \(shown): its \(what) differs between its header and the directory")
    }
}
