#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Finds the end of a message head that arrives in pieces, looking at each byte once.
///
/// It knows lines only: their length, their number and that each ends in CRLF. What a line says is parsed when the
/// head is complete, in one pass over contiguous bytes. The answer does not depend on how the bytes were split.
struct HeadScanner {
    struct Limits: Hashable {
        var firstLine: Int
        var firstLineCode: RouterErrorCode
        var fields: Int
        var fieldCount: Int
        var fieldsCode: RouterErrorCode
        var malformedCode: RouterErrorCode
    }

    private var scanned = 0
    private var lineStart = 0
    private var lines = 0
    private var fieldsStart = 0

    /// The length of the head, once it is complete.
    ///
    /// - Parameter bytes: everything from the start of the head; a later call passes the same bytes and more.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, limits: Limits) throws(HeadRefusal) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        while true {
            let found = memchr(base + self.scanned, Int32(ByteClass.lineFeed), bytes.count - self.scanned)
            // Without a line feed yet, it can at the earliest be the next byte.
            let end = found.map { UnsafeRawPointer($0) - base } ?? bytes.count
            if self.lines == 0 {
                if end - self.lineStart > limits.firstLine + 1 {
                    throw HeadRefusal(limits.firstLineCode, "The first line is too long.")
                }
            } else if end + 1 - self.fieldsStart > limits.fields {
                throw HeadRefusal(limits.fieldsCode, "The header fields are too large.")
            }
            guard found != nil else {
                self.scanned = bytes.count
                return nil
            }
            guard end > self.lineStart, bytes[end - 1] == ByteClass.carriageReturn else {
                throw HeadRefusal(limits.malformedCode, "A line ends without a carriage return.")
            }
            let isEmpty = end - 1 == self.lineStart
            self.scanned = end + 1
            self.lineStart = end + 1
            if self.lines == 0 {
                self.fieldsStart = end + 1
            } else if isEmpty {
                return end + 1
            } else if self.lines > limits.fieldCount {
                throw HeadRefusal(limits.fieldsCode, "There are too many header fields.")
            }
            self.lines += 1
        }
    }
}
