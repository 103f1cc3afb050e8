public import SystemPackage

/// An archive that is a file already: it is sent as it is.
public struct FileArchive: ArchiveSource {
    /// Where the file is.
    public let path: FilePath
    /// By the file's first bytes.
    public let mediaType: String
    /// The size of the file.
    public let length: Int64?

    /// Looks at a file. Throws ``ClientError`` when it cannot be read, or is no archive by its first bytes.
    public init(path: FilePath) throws {
        self.path = path
        do {
            let file = try FileDescriptor.open(path, .readOnly)
            (self.mediaType, self.length) = try file.closeAfter {
                let length = try file.seek(offset: 0, from: .end)
                try file.seek(offset: 0, from: .start)
                var head = [UInt8](repeating: 0, count: 512)
                let count = try head.withUnsafeMutableBytes { try file.read(into: $0) }
                // Archives from before 1988 have no magic number; there the name has to do.
                let byName = path.extension == "tar" ? "application/x-tar" : nil
                guard let type = Self.mediaType(of: head.prefix(count)) ?? byName else {
                    throw ClientError(
                        .invalid,
                        "\(path) is not a .tar, .tar.gz, .tar.zst or .zip file, nor "
                            + "a directory.")
                }
                return (type, length)
            }
        } catch let error as Errno {
            throw ClientError(.invalid, "Cannot read \(path): \(error).", cause: error)
        }
    }

    /// `archive site.tar.gz`.
    public var description: String { "archive \(self.path.lastComponent?.string ?? "")" }

    /// The kind of archive by its first bytes: names lie more often.
    static func mediaType(of head: some Collection<UInt8>) -> String? {
        if head.starts(with: [0x1f, 0x8b]) { return "application/gzip" }
        if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return "application/zstd" }
        // With a file in it, or with none.
        if head.starts(with: [0x50, 0x4b, 3, 4]) || head.starts(with: [0x50, 0x4b, 5, 6]) { return "application/zip" }
        if head.dropFirst(257).starts(with: Array("ustar".utf8)) { return "application/x-tar" }
        return nil
    }

    /// Reads the file from its begin to its end.
    public func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        let file = try FileDescriptor.open(self.path, .readOnly)
        defer { try? file.close() }
        while true {
            let bytes = try [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if bytes.isEmpty { return }
            try await sink(bytes)
        }
    }
}
