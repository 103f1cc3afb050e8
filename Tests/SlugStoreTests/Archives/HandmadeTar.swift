/// Tar archives made byte by byte, for what no honest tool would write.
struct HandmadeTar {
    private(set) var bytes: [UInt8] = []

    /// Adds an entry. `size` is what the header claims, if that differs from the content.
    mutating func add(
        _ name: [UInt8], type: Character = "0", mode: Int = 0o644, link: [UInt8] = [], content: [UInt8] = [],
        size: Int? = nil
    ) {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: [UInt8], at offset: Int) {
            for (index, byte) in bytes.prefix(512 - offset).enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
        }
        put(Array(name.prefix(100)), at: 0)
        put(octal(mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size ?? content.count, digits: 11), at: 124)
        put(octal(1_000_000_000, digits: 11), at: 136)
        put(Array("        ".utf8), at: 148)
        put(Array(String(type).utf8), at: 156)
        put(link, at: 157)
        put(Array("ustar\0".utf8) + Array("00".utf8), at: 257)
        put(octal(block.reduce(0) { $0 + Int($1) }, digits: 6) + [0], at: 148)
        self.bytes += block + content
        while self.bytes.count % 512 != 0 { self.bytes.append(0) }
    }

    mutating func add(
        _ name: String, type: Character = "0", mode: Int = 0o644, link: String = "", content: String = "",
        size: Int? = nil
    ) {
        self.add(
            Array(name.utf8), type: type, mode: mode, link: Array(link.utf8), content: Array(content.utf8), size: size)
    }

    mutating func addDirectory(_ name: String) { self.add(name, type: "5", mode: 0o755) }
    mutating func addLink(_ name: String, to target: String) { self.add(name, type: "2", mode: 0o777, link: target) }
    mutating func addHardLink(_ name: String, to target: String) { self.add(name, type: "1", link: target) }

    /// A pax record for the entry that follows.
    mutating func addPax(_ key: String, _ value: [UInt8]) {
        self.addRecords(Self.record(key, value))
    }

    /// A header of records as they are, well-formed or not.
    mutating func addRecords(_ records: [UInt8], type: Character = "x") {
        self.add(Array("pax".utf8), type: type, content: records)
    }

    /// A record of a pax header.
    static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0a]
        var length = rest.count
        while length != rest.count + String(length).count { length = rest.count + String(length).count }
        return Array(String(length).utf8) + rest
    }

    static func record(_ key: String, _ value: String) -> [UInt8] { self.record(key, Array(value.utf8)) }

    /// Spoils the checksum of the last header.
    mutating func corrupt() { self.bytes[self.bytes.count - 512] ^= 1 }

    /// The archive with its end mark.
    var archive: [UInt8] { self.bytes + [UInt8](repeating: 0, count: 1024) }
}
