#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads a pack from the disk as if nothing were known of it, and says what in it is not as it was written.
///
/// Header, frames, index and footer leave no byte of the file between them, so a check of all frames looks at every byte.
struct PackCheck {
    /// A frame and what is wrong with it.
    struct BadFrame {
        var description: String
        var chunks: [ChunkID]
    }

    let name: String
    let frames: [PackFormat.Frame]
    private let directory: RepositoryDirectory

    /// Reads the pack's index.
    /// - Throws: `corrupted` when it cannot be read, or leaves bytes of the file unexplained.
    init(_ name: String, in directory: RepositoryDirectory) throws(SlugStoreError) {
        self.name = name
        self.directory = directory
        self.frames = try directory.readPackIndex(name).frames
        var end = UInt64(PackFormat.header.count)
        for frame in self.frames {
            guard frame.offset == end else {
                throw .corrupted("The pack \(name) has a frame at \(frame.offset), where \(end) was to be expected.")
            }
            end += UInt64(frame.storedBytes)
        }
    }

    /// Reads frames, as far as `limit` bytes allow but at least one, and notes what is wrong with them.
    /// - Returns: How many frames were read or left out, and the bytes read.
    func read(
        from start: Int, limit: Int64, only isChosen: (Int) -> Bool, _ cancellation: Cancellation,
        found: (BadFrame) -> Void
    ) throws(SlugStoreError) -> (frames: Int, chunks: Int, bytes: Int64) {
        let file = try self.directory.packs.open(self.name.utf8, O_RDONLY, "Opening the pack \(self.name)")
        let decompressor = try ZstdDecompressor()
        var (position, chunks, bytes) = (start, 0, Int64(0))
        var (stored, content): ([UInt8], [UInt8]) = ([], [])
        while position < self.frames.count, bytes < limit {
            try cancellation.check()
            let frame = self.frames[position]
            position += 1
            guard isChosen(position - 1) else { continue }
            if stored.count < frame.storedBytes { stored = [UInt8](repeating: 0, count: frame.storedBytes) }
            if content.count < frame.bytes { content = [UInt8](repeating: 0, count: frame.bytes) }
            let count = try stored.withMutableBytes { buffer throws(SlugStoreError) in
                try file.read(
                    at: frame.offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<frame.storedBytes]),
                    "Reading the pack \(self.name)")
            }
            bytes += Int64(count)
            chunks += frame.chunks.count
            let isReadable =
                count == frame.storedBytes
                && stored.withUnsafeBytes { stored in
                    let stored = UnsafeRawBufferPointer(rebasing: stored[..<frame.storedBytes])
                    return PackFormat.checksum(stored) == frame.checksum
                        && content.withUnsafeMutableBytes { content in
                            decompressor.decompress(
                                stored, into: UnsafeMutableRawBufferPointer(rebasing: content[..<frame.bytes]))
                        }
                }
            let bad = isReadable ? Self.damaged(frame, content) : frame.chunks.map(\.id)
            if !bad.isEmpty {
                let what = isReadable ? "holds other bytes than were stored" : "is not as it was written"
                found(
                    BadFrame(
                        description: "The frame at \(frame.offset) of the pack \(self.name) \(what): "
                            + "\(bad.count) of its \(frame.chunks.count) chunks are lost.",
                        chunks: bad))
            }
        }
        return (position - start, chunks, bytes)
    }

    private static func damaged(_ frame: PackFormat.Frame, _ content: [UInt8]) -> [ChunkID] {
        content.withUnsafeBytes { content in
            var (offset, bad): (Int, [ChunkID]) = (0, [])
            for chunk in frame.chunks {
                if ChunkID(of: UnsafeRawBufferPointer(rebasing: content[offset..<offset + chunk.length])) != chunk.id {
                    bad.append(chunk.id)
                }
                offset += chunk.length
            }
            return bad
        }
    }
}
