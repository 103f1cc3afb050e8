/// Walks over DER without ever leaving its bounds: takes one element after the other, and says nil for what is none.
struct DERReader {
    static let integer: UInt8 = 0x02
    static let bitString: UInt8 = 0x03
    static let sequence: UInt8 = 0x30
    static let set: UInt8 = 0x31
    static let objectIdentifier: UInt8 = 0x06

    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isEmpty: Bool { self.bytes.isEmpty }

    /// The tag of the next element.
    var tag: UInt8? { self.bytes.first }

    /// Takes the next element.
    mutating func next() -> (tag: UInt8, content: ArraySlice<UInt8>)? {
        var rest = self.bytes
        guard let tag = rest.popFirst(), tag & 0x1F != 0x1F, let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let octets = Int(first & 0x7F)
            // Four gigabytes are enough, and do not overflow.
            guard (1...4).contains(octets), rest.count >= octets else { return nil }
            length = rest.prefix(octets).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(octets)
        }
        guard rest.count >= length else { return nil }
        self.bytes = rest.dropFirst(length)
        return (tag, rest.prefix(length))
    }

    /// Takes the next element if it has this tag.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard self.tag == tag else { return nil }
        return self.next()?.content
    }
}
