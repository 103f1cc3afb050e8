/// What an archive is by its first bytes: names and media types lie more often.
enum ArchiveFormat {
    case tar(compression: ArchiveCompression)
    case zip

    init(_ head: ArraySlice<UInt8>) {
        // A local header, or the end of a directory that lists nothing.
        if head.starts(with: [0x50, 0x4b, 3, 4]) || head.starts(with: [0x50, 0x4b, 5, 6]) {
            self = .zip
        } else {
            self = .tar(compression: ArchiveCompression(head))
        }
    }

    /// How many first bytes decide.
    static let headBytes = 4
}

/// How the bytes of an archive are compressed.
enum ArchiveCompression {
    case none
    case gzip
    case zstd

    init(_ head: ArraySlice<UInt8>) {
        let (first, rest) = (head.first ?? 0, head.dropFirst())
        if head.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
            || (first & 0xf0 == 0x50 && rest.starts(with: [0x2a, 0x4d, 0x18]))
        {
            // The second is a frame to be skipped, with which some parallel compressors begin.
            self = .zstd
        } else {
            self = .none
        }
    }
}
