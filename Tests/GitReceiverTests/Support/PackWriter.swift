/// Makes packs by hand, so that they can be wrong in ways git would never write.
struct PackWriter {
    enum Kind: UInt8 {
        case commit = 1
        case tree, blob, tag
        case refDelta = 7

        var name: String {
            switch self {
            case .commit: "commit"
            case .tree: "tree"
            case .blob: "blob"
            case .tag: "tag"
            case .refDelta: "delta"
            }
        }
    }

    private var entries: [UInt8] = []
    private var count = 0
    private var starts: [Int] = []

    /// Adds an object; `declared` replaces its size. Returns its name.
    @discardableResult
    mutating func add(_ kind: Kind, _ data: [UInt8], declared: Int? = nil) -> [UInt8] {
        self.header(kind, declared ?? data.count)
        self.entries += Self.deflate(data)
        return Self.name(kind, data, declared: declared)
    }

    /// Adds a delta against an object that need not be in the pack.
    mutating func addDelta(base: [UInt8], _ delta: [UInt8]) {
        self.header(.refDelta, delta.count)
        self.entries += base + Self.deflate(delta)
    }

    /// Puts the entries in the opposite order, each of which has to be added by one call.
    mutating func reverse() {
        let starts = self.starts + [self.entries.count]
        self.entries = zip(starts, starts.dropFirst()).reversed().flatMap { Array(self.entries[$0..<$1]) }
    }

    /// Adds a commit of a tree.
    mutating func commit(_ tree: [UInt8], parents: [[UInt8]] = []) -> [UInt8] {
        var text = "tree \(Self.hex(tree))\n"
        for parent in parents { text += "parent \(Self.hex(parent))\n" }
        text +=
            "author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\nmade by hand\n"
        return self.add(.commit, Array(text.utf8))
    }

    mutating func tree(_ entries: [(mode: String, name: [UInt8], oid: [UInt8])]) -> [UInt8] {
        self.add(.tree, entries.flatMap { Array("\($0.mode) ".utf8) + $0.name + [0] + $0.oid })
    }

    /// The pack; `claim` replaces the number of objects.
    func finished(claim: UInt32? = nil) -> [UInt8] {
        let number = claim ?? UInt32(self.count)
        var pack = Array("PACK".utf8) + [0, 0, 0, 2]
        pack += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        pack += self.entries
        return pack + SHA1.hash(pack)
    }

    private mutating func header(_ kind: Kind, _ size: Int) {
        self.count += 1
        self.starts.append(self.entries.count)
        var rest = size >> 4
        var byte = kind.rawValue << 4 | UInt8(size & 15)
        while rest > 0 {
            self.entries.append(byte | 0x80)
            byte = UInt8(rest & 0x7F)
            rest >>= 7
        }
        self.entries.append(byte)
    }

    static func varint(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    static func name(_ kind: Kind, _ data: [UInt8], declared: Int? = nil) -> [UInt8] {
        SHA1.hash(Array("\(kind.name) \(declared ?? data.count)\0".utf8) + data)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// A zlib stream of stored blocks.
    static func deflate(_ data: [UInt8]) -> [UInt8] {
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in data {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        return [0x78, 0x01] + Self.stored(data) + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: (b << 16 | a) >> $0) }
    }

    /// A gzip stream of stored blocks.
    static func gzip(_ data: [UInt8]) -> [UInt8] {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        let trailer = [~crc, UInt32(truncatingIfNeeded: data.count)].flatMap { value in
            [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
        }
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + Self.stored(data) + trailer
    }

    private static func stored(_ data: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var rest = data[...]
        repeat {
            let piece = rest.prefix(65535)
            rest = rest.dropFirst(65535)
            let length = UInt16(piece.count)
            output.append(rest.isEmpty ? 1 : 0)
            for value in [length, ~length] { output += [UInt8(value & 255), UInt8(value >> 8)] }
            output += piece
        } while !rest.isEmpty
        return output
    }
}

/// SHA-1, for the checksums of hand-made packs.
enum SHA1 {
    static func hash(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var padded = message + [0x80]
        padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
        padded += (0..<8).map { UInt8(truncatingIfNeeded: (message.count * 8) >> (56 - 8 * $0)) }
        func rotate(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
        var words = [UInt32](repeating: 0, count: 80)
        for start in stride(from: 0, to: padded.count, by: 64) {
            for index in 0..<16 {
                words[index] = (0..<4).reduce(0) { $0 << 8 | UInt32(padded[start + 4 * index + $1]) }
            }
            for index in 16..<80 {
                words[index] = rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1)
            }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for index in 0..<80 {
                let (f, k): (UInt32, UInt32) =
                    switch index {
                    case ..<20: (b & c | ~b & d, 0x5A82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                    case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                    default: (b ^ c ^ d, 0xCA62_C1D6)
                    }
                (a, b, c, d, e) = (rotate(a, 5) &+ f &+ e &+ k &+ words[index], a, rotate(b, 30), c, d)
            }
            state = zip(state, [a, b, c, d, e]).map { $0 &+ $1 }
        }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } }
    }
}
