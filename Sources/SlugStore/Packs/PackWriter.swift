import Synchronization

/// Writes one pack, from many threads at once. Nothing of it counts until ``finish()`` has returned and the file has its
/// name.
final class PackWriter: Sendable {
    private struct State {
        var end = UInt64(PackFormat.header.count)
        var frames: [PackFormat.Frame] = []
    }

    private let file: Descriptor
    private let name: String
    private let reserve: DiskReserve
    private let state = Mutex(State())

    /// Starts a pack in an empty file; `name` is for messages.
    init(file: Descriptor, name: String, reserve: DiskReserve) throws(SlugStoreError) {
        self.file = file
        self.name = name
        self.reserve = reserve
        try Self.write(PackFormat.header, to: file, at: 0, name)
    }

    /// Adds a compressed frame that holds `chunks` one after the other.
    func append(_ frame: UnsafeRawBufferPointer, chunks: [SlugManifest.ChunkReference]) throws(SlugStoreError) {
        let size = chunks.reduce(0) { $0 + $1.length }
        try self.reserve.check(Int64(frame.count), on: self.file, "what is new in the tree")
        let checksum = PackFormat.checksum(frame)
        // The place is taken under the lock and filled outside of it, so that threads write side by side.
        let offset = self.state.withLock { state in
            let offset = state.end
            state.end += UInt64(frame.count)
            state.frames.append(
                PackFormat.Frame(
                    offset: offset, storedBytes: frame.count, bytes: size, checksum: checksum, chunks: chunks))
            return offset
        }
        try self.file.write(frame, at: offset, "Writing the pack \(self.name)")
        self.file.startWriting(at: offset, count: frame.count)
    }

    /// Writes index and footer. All frames must have been appended.
    func finish() throws(SlugStoreError) -> (digest: ChunkID, frames: [PackFormat.Frame], bytes: Int64) {
        var (end, frames) = self.state.withLock { ($0.end, $0.frames) }
        frames.sort { $0.offset < $1.offset }
        let index = PackFormat.encodeIndex(frames)
        let digest = ChunkID(of: index)
        let footer = PackFormat.encodeFooter(indexOffset: end, index: index, digest: digest)
        try Self.write(index + footer, to: self.file, at: end, self.name)
        end += UInt64(index.count + footer.count)
        return (digest, frames, Int64(end))
    }

    private static func write(
        _ bytes: [UInt8], to file: Descriptor, at offset: UInt64, _ name: String
    ) throws(SlugStoreError) {
        try bytes.withBytes { bytes throws(SlugStoreError) in
            try file.write(bytes, at: offset, "Writing the pack \(name)")
        }
    }
}
