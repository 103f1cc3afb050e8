/// The blocks that come before a file's content in a tar archive (ustar, with pax records where ustar has no room).
enum TarHeader {
    static let blockBytes = 512
    /// Two blocks of zeros end an archive.
    static let end = [UInt8](repeating: 0, count: 2 * blockBytes)
    /// The time of everything in an archive, so that archives of equal trees are equal: 1 January 1980.
    static let time: Int64 = 315_532_800

    enum Kind {
        case file(executable: Bool, bytes: Int64)
        case directory
        case symbolicLink(target: [UInt8])
    }

    static func encode(_ path: [UInt8], _ kind: Kind) -> [UInt8] {
        var name = path
        var target: [UInt8] = []
        var bytes: Int64 = 0
        let (flag, mode): (UInt8, Int64)
        switch kind {
        case .file(let executable, let size):
            (flag, mode, bytes) = (UInt8(ascii: "0"), executable ? 0o755 : 0o644, size)
        case .directory: (flag, mode, name) = (UInt8(ascii: "5"), 0o755, path + [TreePath.slash])
        case .symbolicLink(let link): (flag, mode, target) = (UInt8(ascii: "2"), 0o777, link)
        }
        var records: [UInt8] = []
        if !self.fits(name) { records += self.record("path", name) }
        if !self.fits(target) { records += self.record("linkpath", target) }
        if bytes > 0o777_7777_7777 { records += self.record("size", Array(String(bytes).utf8)) }
        guard !records.isEmpty else { return self.block(name, flag, mode, bytes, target) }
        // A reader that knows no pax records still gets the first part of the name.
        return self.block(Array("pax-header".utf8), UInt8(ascii: "x"), 0o644, Int64(records.count), [])
            + records + self.padding(Int64(records.count))
            + self.block(name, flag, mode, min(bytes, 0o777_7777_7777), target)
    }

    /// The zeros that fill up the last block of so many bytes.
    static func padding(_ bytes: Int64) -> [UInt8] {
        let rest = Int(bytes % Int64(self.blockBytes))
        return rest == 0 ? [] : [UInt8](repeating: 0, count: self.blockBytes - rest)
    }

    /// Short and ASCII, and so read alike by everybody.
    private static func fits(_ name: [UInt8]) -> Bool { name.count <= 100 && name.allSatisfy { $0 < 0x80 } }

    /// A pax record, which starts with its own length, the digits of that length included.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0a]
        var length = rest.count
        while length != rest.count + String(length).utf8.count { length = rest.count + String(length).utf8.count }
        return Array(String(length).utf8) + rest
    }

    private static func block(
        _ name: [UInt8], _ flag: UInt8, _ mode: Int64, _ bytes: Int64, _ target: [UInt8]
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: self.blockBytes)
        func put(_ bytes: some Collection<UInt8>, at offset: Int, limit: Int) {
            for (index, byte) in bytes.prefix(limit).enumerated() { block[offset + index] = byte }
        }
        func put(octal value: Int64, at offset: Int, digits: Int) {
            let text = String(value, radix: 8)
            put(Array((String(repeating: "0", count: digits - text.utf8.count) + text).utf8), at: offset, limit: digits)
        }
        put(name, at: 0, limit: 100)
        put(octal: mode, at: 100, digits: 7)
        put(octal: 0, at: 108, digits: 7)
        put(octal: 0, at: 116, digits: 7)
        put(octal: bytes, at: 124, digits: 11)
        put(octal: self.time, at: 136, digits: 11)
        put(Array("        ".utf8), at: 148, limit: 8)
        block[156] = flag
        put(target, at: 157, limit: 100)
        put(Array("ustar\u{0}00".utf8), at: 257, limit: 8)
        put(octal: block.reduce(0) { $0 + Int64($1) }, at: 148, digits: 6)
        block[154] = 0
        return block
    }
}
