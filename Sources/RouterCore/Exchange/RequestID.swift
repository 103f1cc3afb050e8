/// A small, fast generator of numbers that need not be secret (SplitMix64). The system's generator is a system call
/// per number; a loop seeds this one from it once.
struct LoopRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// What names a request in logs: the client's own identifier when that may be kept, else a random UUID.
enum RequestID {
    case random(UInt64, UInt64)
    case client(String)

    init(using random: inout LoopRandom) {
        // The version and variant bits of a random UUID (RFC 9562).
        let high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        self = .random(high, low)
    }

    /// Whether a client's identifier is safe to hand on: 20 to 200 letters, digits and `-_.+/=`.
    static func isAcceptable(_ value: UnsafeRawBufferPointer) -> Bool {
        (20...200).contains(value.count)
            && value.allSatisfy { byte in
                ByteClass.isAlphanumeric(byte) || byte == 0x2D || byte == 0x5F || byte == 0x2E || byte == 0x2B
                    || byte == 0x2F || byte == 0x3D
            }
    }

    /// Calls `body` with the identifier's characters.
    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        switch self {
        case .client(var text):
            return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        case .random(let high, let low):
            return withUnsafeTemporaryAllocation(byteCount: 36, alignment: 1) { buffer in
                var position = 0
                for index in 0..<32 {
                    if index == 8 || index == 12 || index == 16 || index == 20 {
                        buffer[position] = 0x2D
                        position += 1
                    }
                    let word = index < 16 ? high : low
                    let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - (index & 15) * 4)) & 0xF
                    buffer[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
                    position += 1
                }
                return body(UnsafeRawBufferPointer(buffer))
            }
        }
    }
}

extension RequestID: CustomStringConvertible {
    var description: String { self.withBytes { String(decoding: $0, as: UTF8.self) } }
}
