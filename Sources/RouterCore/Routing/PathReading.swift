/// How a path can be read, for finding the prefix that it is under.
///
/// Servers do not agree about paths. Some decode `%61` before they compare, some take `%2F` or `\` for a slash, some
/// merge doubled slashes, some cut a segment at `;`, some decode twice. If the router read `//admin` as being outside
/// `/admin` and the instance as inside, the rules of `/admin` would not protect it. Rewriting what is forwarded would
/// break applications that need such bytes (`/proxy/http://example.com/`), so it is forwarded as it came, but only
/// when all readings agree about the prefix:
///
/// 1. A path with a dot segment in any reading (`..`, `%2e%2e`, `..%2F`, `..;x`), with an encoded NUL, with an encoding
///    put together of others (`%6%61`), or with what may be a slash behind a `;` in its segment, is refused. Clients resolve dot segments before they send, and servers
///    disagree about their order with merging slashes; the others have no use.
/// 2. The path is matched literally, and again with everything above undone. When the two find different rules, it is
///    refused.
///
/// Two comparisons stand for all readings: prefixes consist of plain characters only, so that a prefix that matches
/// literally matches in every reading, and one that matches in any reading matches when everything is undone. The rule
/// that both ends of that chain find is found by every reading between them.
enum PathReading {
    /// Whether there is only one way to read it.
    static func isPlain(_ path: UnsafeRawBufferPointer) -> Bool {
        var previous: UInt8 = 0
        for byte in path {
            switch byte {
            case 0x25, 0x5C, 0x3B: return false  // % \ ;
            // A segment that starts with a dot is nearly always a file (`/.well-known`), and looked at more closely.
            case 0x2F, 0x2E: if previous == 0x2F { return false }
            default: break
            }
            previous = byte
        }
        return true
    }

    /// Writes the path with everything undone and returns its length; nil when it must be refused.
    ///
    /// - Parameter out: has as many bytes as the path and one more.
    static func undo(_ path: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer) -> Int? {
        var position = 0
        var count = 0
        var segment = 0
        var isCut = false
        func isDots() -> Bool {
            let length = count - segment
            return length > 0 && length <= 2 && out[segment] == 0x2E && out[count - 1] == 0x2E
        }
        while position < path.count {
            let start = position
            let byte = self.decode(path, &position)
            switch byte {
            case 0: return nil
            case 0x2F, 0x5C:
                // Those who cut at `;` up to the next plain slash would leave out more than those who end it here.
                if isDots() || (isCut && path[start] != 0x2F) { return nil }
                isCut = false
                if count == 0 || out[count - 1] != 0x2F {
                    out[count] = 0x2F
                    count += 1
                }
                segment = count
            case 0x3B: isCut = true
            default:
                if !isCut {
                    out[count] = byte
                    count += 1
                }
            }
        }
        return isDots() || self.isEncoded(out, count) ? nil : count
    }

    /// Whether what is undone could be undone further: `%6%61` is `%6a` once decoded, and `j` twice.
    private static func isEncoded(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) -> Bool {
        for index in 0..<max(0, count - 2) where bytes[index] == 0x25 {
            if ByteClass.hexValue(bytes[index + 1]) != nil, ByteClass.hexValue(bytes[index + 2]) != nil { return true }
        }
        return false
    }

    /// The byte at a position, decoded as often as it was encoded.
    private static func decode(_ path: UnsafeRawBufferPointer, _ position: inout Int) -> UInt8 {
        var byte = path[position]
        position += 1
        while byte == 0x25, position + 1 < path.count, let high = ByteClass.hexValue(path[position]),
            let low = ByteClass.hexValue(path[position + 1])
        {
            byte = high << 4 | low
            position += 2
        }
        return byte
    }
}
