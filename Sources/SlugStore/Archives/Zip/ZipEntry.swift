#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An entry as a zip archive's directory describes it.
struct ZipEntry {
    enum Method: UInt16 {
        case stored = 0
        case deflated = 8
    }

    var name: [UInt8]
    var flags: UInt16
    var method: Method
    var crc: UInt32
    var storedBytes: Int64
    var bytes: Int64
    var offset: Int64
    /// The Unix mode; 0 if the archive was made where there is none.
    var mode: mode_t
    var modified: timespec

    static let bytes = 46
    /// The sizes and the checksum come after the content, since the writer did not know them before.
    static let describesLater: UInt16 = 1 << 3
    private static let encrypted: UInt16 = 1 | 1 << 6 | 1 << 13
    private static let patched: UInt16 = 1 << 5
    static let isUTF8: UInt16 = 1 << 11

    var isDescribedLater: Bool { self.flags & Self.describesLater != 0 }

    /// Reads the entry at the start of `rest`, and leaves what comes after it.
    init(_ rest: inout ArraySlice<UInt8>, number: Int) throws(SlugStoreError) {
        let what = "entry \(number) of the zip archive's directory"
        let fields = ZipFields(rest)
        guard rest.count >= Self.bytes, fields.long(0) == 0x0201_4b50 else { throw Self.invalid("\(what) is damaged") }
        let (nameBytes, extraBytes, commentBytes) = (Int(fields.word(28)), Int(fields.word(30)), Int(fields.word(32)))
        let total = Self.bytes + nameBytes + extraBytes + commentBytes
        guard total <= rest.count else { throw Self.invalid("\(what) is cut off") }
        self.name = Array(fields[Self.bytes..<Self.bytes + nameBytes])
        let shown = printable(self.name)
        guard !self.name.contains(0) else { throw Self.invalid("\(what) has a name with a NUL in it, \(shown)") }
        self.flags = fields.word(8)
        guard self.flags & Self.encrypted == 0 else {
            throw Self.invalid("\(shown) is encrypted. Make the archive without a password")
        }
        guard self.flags & Self.patched == 0, let method = Method(rawValue: fields.word(10)) else {
            throw Self.invalid(
                "\(shown) is compressed in a way (\(fields.word(10))) that is not read here; use deflate")
        }
        self.method = method
        self.crc = fields.long(16)
        let extra = try ZipExtra(fields[Self.bytes + nameBytes..<Self.bytes + nameBytes + extraBytes], of: shown)
        try extra.check(name: self.name, shown)
        var large = extra.large
        self.bytes = try large.take(fields.long(24), shown)
        self.storedBytes = try large.take(fields.long(20), shown)
        self.offset = try large.take(fields.long(42), shown)
        guard fields.word(34) == 0 else { throw Self.invalid("\(shown) is in another part of the archive") }
        // Made on Unix or macOS. Others have no modes.
        let host = fields.word(4) >> 8
        self.mode = host == 3 || host == 19 ? mode_t(fields.long(38) >> 16) : 0
        self.modified = extra.modified ?? Self.time(date: fields.word(14), time: fields.word(12))
        rest = rest.dropFirst(total)
    }

    var isDirectory: Bool { self.name.last == TreePath.slash }

    /// What it is, apart from where a link leads, which its content says.
    func kind() throws(SlugStoreError) -> ArchiveEntry.Kind {
        let shown = printable(self.name)
        switch (self.mode & S_IFMT, self.isDirectory) {
        case (S_IFREG, false), (0, false): return .file
        case (S_IFDIR, true), (0, true):
            guard self.bytes == 0 else { throw Self.invalid("the directory \(shown) has content") }
            return .directory
        case (S_IFLNK, false): return .symbolicLink(target: [])
        case (S_IFIFO, _): return .other("a FIFO")
        case (S_IFSOCK, _): return .other("a socket")
        case (S_IFCHR, _), (S_IFBLK, _): return .other("a device")
        default: throw Self.invalid("\(shown) is a directory by its name or by its mode, not by both")
        }
    }

    /// The time of the clock on the wall where the archive was made, taken for UTC: it does not say more.
    private static func time(date: UInt16, time: UInt16) -> timespec {
        var parts = tm()
        parts.tm_year = CInt(date >> 9) + 80
        parts.tm_mon = CInt(min(max(date >> 5 & 15, 1), 12)) - 1
        parts.tm_mday = CInt(max(date & 31, 1))
        parts.tm_hour = CInt(time >> 11)
        parts.tm_min = CInt(time >> 5 & 63)
        parts.tm_sec = CInt(time & 31) * 2
        return timespec(tv_sec: timegm(&parts), tv_nsec: 0)
    }

    static func invalid(_ what: String) -> SlugStoreError {
        SlugStoreError(code: .invalidArchive, message: "The archive is refused: \(what).")
    }
}
