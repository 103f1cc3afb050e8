/// What stands before the packed bytes of an object: its kind and size, and for a delta its base.
struct PackEntryHeader {
    enum Content {
        case whole(ObjectKind)
        /// A delta on the object that begins so many bytes earlier.
        case place(Int)
        /// A delta on an object that is named.
        case name(ObjectID)
    }

    /// No header has more bytes.
    static let longest = 32

    var content: Content
    /// The unpacked size: of the delta, for a delta.
    var size: Int
    /// The bytes of the header itself.
    var count: Int

    /// Reads the header that bytes begin with; nil while it is not complete.
    init?(_ bytes: UnsafeRawBufferPointer) throws(GitReceiverError) {
        guard let first = bytes.first else { return nil }
        var position = 0
        var (size, shift) = (Int(first & 15), 4)
        while bytes[position] & 0x80 != 0 {
            position += 1
            guard position < bytes.count else { return nil }
            guard shift < 56 else { throw Self.damaged }
            size |= Int(bytes[position] & 0x7F) << shift
            shift += 7
        }
        position += 1
        self.size = size
        let type = first >> 4 & 7
        switch type {
        case 6:
            guard position < bytes.count else { return nil }
            var distance = Int(bytes[position] & 0x7F)
            while bytes[position] & 0x80 != 0 {
                position += 1
                guard position < bytes.count else { return nil }
                guard distance < 1 << 48 else { throw Self.damaged }
                distance = (distance + 1) << 7 | Int(bytes[position] & 0x7F)
            }
            guard distance > 0 else { throw Self.damaged }
            self.content = .place(distance)
            self.count = position + 1
        case 7:
            guard bytes.count >= position + 20 else { return nil }
            self.content = .name(ObjectID(raw: bytes, at: position))
            self.count = position + 20
        default:
            guard let kind = ObjectKind(rawValue: Int32(type)) else { throw Self.damaged }
            self.content = .whole(kind)
            self.count = position
        }
    }

    /// The bytes of a header.
    static func encode(_ content: Content, size: Int) -> [UInt8] {
        let type: UInt8 =
            switch content {
            case .whole(let kind): UInt8(kind.rawValue)
            case .place: 6
            case .name: 7
            }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.longest)
        var rest = size >> 4
        var byte = type << 4 | UInt8(size & 15)
        while rest > 0 {
            bytes.append(byte | 0x80)
            byte = UInt8(rest & 0x7F)
            rest >>= 7
        }
        bytes.append(byte)
        switch content {
        case .whole: break
        case .place(let distance):
            // Seven bits a byte, the highest first; each byte that another follows counts one more.
            var digits = [UInt8(distance & 0x7F)]
            var rest = distance >> 7
            while rest > 0 {
                rest -= 1
                digits.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            bytes += digits.reversed()
        case .name(let oid): for index in 0..<20 { bytes.append(oid.byte(at: index)) }
        }
        return bytes
    }

    private static var damaged: GitReceiverError {
        GitReceiverError(.corrupt, "the pack is damaged: an object has no valid header")
    }
}
