import NIOCore

/// Writes a message head into memory that was made large enough before: one check of the buffer for a whole head
/// instead of one per piece.
struct HeadWriter {
    private let space: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ space: UnsafeMutableRawBufferPointer) {
        self.space = space
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= self.space.count - self.count, "a head is longer than was reckoned")
        guard let source = bytes.baseAddress, let target = self.space.baseAddress else { return }
        (target + self.count).copyMemory(from: source, byteCount: bytes.count)
        self.count += bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        self.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.append($0) }
    }

    /// Not called like the others: a literal would be taken for a `String`, which costs ten times as much.
    mutating func append(text: String) {
        var text = text
        text.withUTF8 { self.append(UnsafeRawBufferPointer($0)) }
    }

    /// Sixteen digits in lower case.
    mutating func append(hexadecimal number: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { digits in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: number >> UInt64(60 - index * 4)) & 0xF
                digits[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            self.append(UnsafeRawBufferPointer(digits))
        }
    }

    /// A number without making a string of it.
    mutating func append(decimal number: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var position = 20
            var rest = number
            repeat {
                position -= 1
                digits[position] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            self.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[position...]))
        }
    }
}

extension ByteBuffer {
    /// Writes a head of at most `limit` bytes.
    @inline(__always)
    mutating func writeHead(limit: Int, _ body: (inout HeadWriter) -> Void) {
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { space in
            var writer = HeadWriter(space)
            body(&writer)
            return writer.count
        }
    }
}
