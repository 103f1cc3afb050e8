#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The extra fields of a zip archive's entry.
struct ZipExtra {
    /// Sizes and places that are too large for their fields, in the order of those.
    struct Large {
        var values: ArraySlice<UInt8> = []

        /// The value of a field, or the next large one if the field says so.
        mutating func take(_ field: UInt32, _ shown: String) throws(SlugStoreError) -> Int64 {
            guard field == .max else { return Int64(field) }
            guard self.values.count >= 8, let value = Int64(exactly: ZipFields(self.values).quad(0)) else {
                throw ZipEntry.invalid("\(shown) has a size or place that does not say how large it is")
            }
            self.values = self.values.dropFirst(8)
            return value
        }
    }

    private(set) var large = Large()
    private(set) var modified: timespec?
    /// Another name, which takes precedence for some readers.
    private var otherName: ArraySlice<UInt8>?

    init(_ bytes: ArraySlice<UInt8>, of shown: String) throws(SlugStoreError) {
        var rest = bytes
        var seen: Set<UInt16> = []
        while rest.count >= 4 {
            let fields = ZipFields(rest)
            let (tag, count) = (fields.word(0), Int(fields.word(2)))
            guard 4 + count <= rest.count else { throw ZipEntry.invalid("\(shown) has a damaged extra field") }
            let value = fields[4..<4 + count]
            switch tag {
            case 0x0001: self.large = Large(values: value)
            case 0x5455 where count >= 5 && ZipFields(value).bytes.first.map { $0 & 1 != 0 } == true:
                self.modified = timespec(tv_sec: Int(Int32(bitPattern: ZipFields(value).long(1))), tv_nsec: 0)
            case 0x7075 where count >= 5: self.otherName = value.dropFirst(5)
            case 0x9901, 0x0017: throw ZipEntry.invalid("\(shown) is encrypted. Make the archive without a password")
            default: break
            }
            if tag == 0x0001 || tag == 0x7075 {
                guard seen.insert(tag).inserted else { throw ZipEntry.invalid("\(shown) has an extra field twice") }
            }
            rest = rest.dropFirst(4 + count)
        }
        // Android's aligner fills up with up to three zeros.
        guard rest.allSatisfy({ $0 == 0 }) else { throw ZipEntry.invalid("\(shown) has a damaged extra field") }
    }

    func check(name: [UInt8], _ shown: String) throws(SlugStoreError) {
        guard let otherName, !otherName.elementsEqual(name) else { return }
        throw ZipEntry.invalid("\(shown) has another name too, \(printable(otherName))")
    }
}
