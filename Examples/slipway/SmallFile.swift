import SystemPackage

/// Reads a small file whole, such as a certificate.
enum SmallFile {
    /// More than any of them needs.
    private static let limit = 1 << 20

    /// - Throws: an `Errno`, whose description is what people know: `No such file or directory`.
    static func read(_ path: String) throws -> [UInt8] {
        let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            var bytes: [UInt8] = []
            var isOver = false
            while !isOver {
                let part = try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                    count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                isOver = part.isEmpty
                bytes += part
                guard bytes.count <= Self.limit else { throw Errno.fileTooLarge }
            }
            return bytes
        }
    }
}
