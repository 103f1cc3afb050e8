/// What stands before the packed bytes of an object: its kind and size, and for a delta its base.
struct PackEntryHeader {
    enum Content {
        case whole(ObjectKind)
        /// A delta on the object that begins so many bytes earlier.
        case place(Int)
        /// A delta on an object that is named.
        case name(ObjectID)
    }

    var content: Content
    var size: Int

    /// Reads a header; nil while it is not complete. Each byte is a new try, but none has more than 30.
    init?(_ bytes: [UInt8]) throws(GitReceiverError) {
        var position = 0
        var (size, shift) = (Int(bytes[0] & 15), 4)
        while bytes[position] & 0x80 != 0 {
            position += 1
            guard position < bytes.count else { return nil }
            guard shift < 56 else { throw Self.damaged }
            size |= Int(bytes[position] & 0x7F) << shift
            shift += 7
        }
        position += 1
        self.size = size
        let type = bytes[0] >> 4 & 7
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
        case 7:
            guard bytes.count >= position + 20 else { return nil }
            guard let oid = ObjectID(raw: bytes[position..<position + 20]) else { throw Self.damaged }
            self.content = .name(oid)
        default:
            guard let kind = ObjectKind(rawValue: Int32(type)) else { throw Self.damaged }
            self.content = .whole(kind)
        }
    }

    static func encode(_ kind: ObjectKind, size: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = size >> 4
        var byte = UInt8(kind.rawValue) << 4 | UInt8(size & 15)
        while rest > 0 {
            bytes.append(byte | 0x80)
            byte = UInt8(rest & 0x7F)
            rest >>= 7
        }
        return bytes + [byte]
    }

    private static var damaged: GitReceiverError {
        GitReceiverError(.corrupt, "the pack is damaged: an object has no valid header")
    }
}
