/// Zip archives made byte by byte, for what no honest tool would write. Contents are stored unless they come deflated.
struct HandmadeZip {
    struct Entry {
        var name: [UInt8]
        var content: [UInt8] = []
        /// The Unix mode, with the kind.
        var mode = 0o100644
        var host: UInt8 = 3
        var flags: UInt16 = 1 << 11
        var method: UInt16 = 0
        var crc: UInt32?
        var size: Int?
        var extra: [UInt8] = []
        var localExtra: [UInt8] = []
        var descriptor: [UInt8] = []
        /// What the header before the content says instead, if that differs.
        var localName: [UInt8]?
        var localMethod: UInt16?
        var localSize: Int?
        var localStored: Int?
        var localCRC: UInt32?
        var localFlags: UInt16?
        /// Where the content is, instead of where it was put.
        var offset: Int?
        /// Bytes after the content that belong to nothing.
        var gap: [UInt8] = []

        init(_ name: String, _ content: String = "", mode: Int = 0o100644) {
            self.name = Array(name.utf8)
            self.content = Array(content.utf8)
            self.mode = mode
        }
    }

    var entries: [Entry] = []
    var prefix: [UInt8] = []
    var comment: [UInt8] = []
    var count: Int?
    var suffix: [UInt8] = []
    var beforeEnd: [UInt8] = []
    /// What the record of the end says of its own size.
    var zip64Bytes = 44
    var hasZip64 = false

    mutating func add(
        _ name: String, _ content: String = "", mode: Int = 0o100644, _ change: (inout Entry) -> Void = { _ in }
    ) {
        var entry = Entry(name, content, mode: mode)
        change(&entry)
        self.entries.append(entry)
    }

    private static func number(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    static func word(_ value: Int) -> [UInt8] { self.number(value, 2) }
    static func long(_ value: Int) -> [UInt8] { self.number(value, 4) }
    static func quad(_ value: Int) -> [UInt8] { self.number(value, 8) }
    static func field(_ tag: Int, _ value: [UInt8]) -> [UInt8] { self.word(tag) + self.word(value.count) + value }

    static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
        }
    }

    var archive: [UInt8] {
        var bytes = self.prefix
        var directory: [UInt8] = []
        for entry in self.entries {
            let offset = entry.offset ?? bytes.count
            let crc = Int(entry.crc ?? Self.crc(entry.content))
            let size = entry.size ?? entry.content.count
            func header(
                _ signature: Int, _ middle: [UInt8], flags: UInt16, method: UInt16, crc: Int, stored: Int, size: Int
            )
                -> [UInt8]
            {
                Self.long(signature) + middle + Self.word(Int(flags)) + Self.word(Int(method)) + Self.word(0)
                    + Self.word(0x21) + Self.long(crc) + Self.long(stored) + Self.long(size)
            }
            let name = entry.localName ?? entry.name
            bytes += header(
                0x0403_4b50, Self.word(20), flags: entry.localFlags ?? entry.flags,
                method: entry.localMethod ?? entry.method, crc: Int(entry.localCRC ?? UInt32(crc)),
                stored: entry.localStored ?? entry.content.count, size: entry.localSize ?? size)
            bytes += Self.word(name.count) + Self.word(entry.localExtra.count) + name + entry.localExtra
            bytes += entry.content + entry.descriptor + entry.gap
            directory += header(
                0x0201_4b50, [20, entry.host] + Self.word(20), flags: entry.flags, method: entry.method, crc: crc,
                stored: entry.content.count, size: size)
            directory += Self.word(entry.name.count) + Self.word(entry.extra.count) + Self.word(0) + Self.word(0)
            directory += Self.word(0) + Self.long(entry.mode << 16) + Self.long(offset) + entry.name + entry.extra
        }
        let (start, count) = (bytes.count, self.count ?? self.entries.count)
        bytes += directory + self.beforeEnd
        if self.hasZip64 {
            let place = bytes.count
            bytes +=
                Self.long(0x0606_4b50) + Self.quad(self.zip64Bytes) + Self.word(45) + Self.word(45) + Self.long(0)
                + Self.long(0)
            bytes += Self.quad(count) + Self.quad(count) + Self.quad(directory.count) + Self.quad(start)
            bytes += Self.long(0x0706_4b50) + Self.long(0) + Self.quad(place) + Self.long(1)
        }
        bytes += Self.long(0x0605_4b50) + Self.word(0) + Self.word(0)
        bytes += Self.word(self.hasZip64 ? 0xffff : count) + Self.word(self.hasZip64 ? 0xffff : count)
        bytes += Self.long(self.hasZip64 ? 0xffff_ffff : directory.count)
        bytes += Self.long(self.hasZip64 ? 0xffff_ffff : start) + Self.word(self.comment.count) + self.comment
        return bytes + self.suffix
    }
}
