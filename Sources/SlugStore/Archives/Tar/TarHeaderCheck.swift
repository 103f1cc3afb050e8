/// Looks at what libarchive was given for one entry, for what it does not tell: names that a NUL ends before their end, which
/// other readers see in full; records that say the same thing twice; records that are not well-formed; kinds that it
/// takes for files.
struct TarHeaderCheck {
    private let bytes: [UInt8]
    /// What is in error, for example `after lib/a`.
    private let place: String

    init(_ bytes: [UInt8], place: String) {
        self.bytes = bytes
        self.place = place
    }

    /// - Returns: How many bytes come before the header of the entry itself, or before the end mark.
    func run() throws(SlugStoreError) -> Int {
        var offset = 0
        var seen: Set<UInt8> = []
        while offset + TarHeader.blockBytes <= self.bytes.count {
            let block = self.bytes[offset..<offset + TarHeader.blockBytes]
            let flag = block[block.startIndex + 156]
            switch flag {
            case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
                guard seen.insert(flag).inserted || flag == UInt8(ascii: "g") else {
                    throw self.invalid("has two headers of kind \(printable([flag])) for one entry")
                }
                offset += TarHeader.blockBytes
                guard let size = Self.size(block), size <= self.bytes.count - offset else {
                    throw self.invalid("has a header that does not say its size")
                }
                let payload = self.bytes[offset..<offset + size]
                if flag == UInt8(ascii: "x") || flag == UInt8(ascii: "g") {
                    try self.checkRecords(payload, areGlobal: flag == UInt8(ascii: "g"))
                } else {
                    try self.checkName(payload)
                }
                offset += (size + TarHeader.blockBytes - 1) / TarHeader.blockBytes * TarHeader.blockBytes
            case 0, UInt8(ascii: "0")...UInt8(ascii: "7"), UInt8(ascii: "S"):
                return offset
            default:
                throw self.invalid("has an entry of the unknown kind \(printable([flag]))")
            }
        }
        return min(offset, self.bytes.count)
    }

    /// A GNU header with a long name, which one NUL ends.
    private func checkName(_ payload: ArraySlice<UInt8>) throws(SlugStoreError) {
        guard let end = payload.firstIndex(of: 0) else { return }
        guard payload[end...].allSatisfy({ $0 == 0 }) else { throw self.invalid("has a name with a NUL in it") }
    }

    /// Records of `LENGTH KEY=VALUE\n`, where the length counts itself.
    private func checkRecords(_ payload: ArraySlice<UInt8>, areGlobal: Bool) throws(SlugStoreError) {
        var rest = payload
        var keys: Set<[UInt8]> = []
        while let first = rest.first {
            // Some writers fill up the last block with zeros and count those.
            if first == 0, rest.allSatisfy({ $0 == 0 }) { return }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let length = Int(String(decoding: digits.prefix(8), as: UTF8.self)), digits.count <= 8,
                length <= rest.count, digits.count + 3 <= length,
                rest[rest.startIndex + digits.count] == UInt8(ascii: " "),
                rest[rest.startIndex + length - 1] == 0x0a
            else { throw self.invalid("has a malformed pax record") }
            let record = rest.prefix(length).dropFirst(digits.count + 1).dropLast()
            rest = rest.dropFirst(length)
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")), equals > record.startIndex else {
                throw self.invalid("has a malformed pax record")
            }
            let (key, value) = (record[..<equals], record[(equals + 1)...])
            guard Self.naming.contains(where: { key.elementsEqual($0.utf8) }) else { continue }
            guard !areGlobal else {
                throw self.invalid("has a pax header that gives all entries one \(printable(key))")
            }
            guard !value.contains(0) else { throw self.invalid("has a \(printable(key)) with a NUL in it") }
            guard keys.insert(Array(key)).inserted else { throw self.invalid("has two pax records \(printable(key))") }
        }
    }

    /// What decides where an entry goes and how long it is. Two that disagree are read differently by different programs.
    private static let naming = [
        "path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.major",
        "GNU.sparse.minor", "GNU.sparse.map", "hdrcharset",
    ]

    /// The size that a block says, in octal digits.
    private static func size(_ block: ArraySlice<UInt8>) -> Int? {
        let field = block[(block.startIndex + 124)..<(block.startIndex + 136)]
        let digits = field.drop { $0 == 0x20 }.prefix { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
        return digits.isEmpty ? nil : Int(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    private func invalid(_ what: String) -> SlugStoreError {
        SlugStoreError(code: .invalidArchive, message: "The archive \(what), \(self.place).")
    }
}
