import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One thread's way to stored chunks: finds, reads, decompresses and verifies them.
///
/// The last frames stay decompressed, since chunks that are wanted together were mostly stored together.
final class ChunkReader {
    private struct CachedFrame {
        var slot: UInt32
        var frame: UInt32
        /// As large as the largest frame that it has held.
        var memory: UnsafeMutableRawBufferPointer
        var bytes: Int
        var lastUse: Int

        var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.memory[..<self.bytes]) }
    }

    private let index: ChunkIndex
    private let packs: Descriptor
    private let decompressor: ZstdDecompressor
    private var frames: [CachedFrame] = []
    private var files: [(slot: UInt32, pack: ChunkIndex.Pack, file: Descriptor)] = []
    /// For frames as they are stored; as large as the largest.
    private var stored = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 1)
    private var uses = 0

    private static let cachedFrames = 4
    private static let cachedFiles = 16

    /// - Parameter packs: The directory with the packs.
    init(index: ChunkIndex, packs: Descriptor) throws(SlugStoreError) {
        self.index = index
        self.packs = packs
        self.decompressor = try ZstdDecompressor()
    }

    deinit {
        for frame in self.frames { frame.memory.deallocate() }
        self.stored.deallocate()
    }

    /// Gives `body` the verified bytes of a chunk.
    /// - Parameter user: What needs the chunk, for the message if it is damaged.
    func withChunk<R>(
        _ chunk: SlugManifest.ChunkReference, for user: @autoclosure () -> String,
        _ body: (UnsafeRawBufferPointer) throws(SlugStoreError) -> R
    ) throws(SlugStoreError) -> R {
        guard let location = self.index.location(of: chunk.id) else {
            throw .corrupted("Chunk \(chunk.id) is in no pack; \(user()) needs it. \(Self.advice)")
        }
        let frame: UnsafeRawBufferPointer
        do throws(SlugStoreError) {
            frame = try self.frame(at: location)
        } catch {
            guard error.code == .corrupted else { throw error }
            throw .corrupted("Chunk \(chunk.id) cannot be read: \(error.message) \(user()) needs it. \(Self.advice)")
        }
        let (offset, length) = (Int(location.offset), Int(location.length))
        let bytes = UnsafeRawBufferPointer(rebasing: frame[offset..<offset + length])
        guard length == chunk.length, ChunkID(of: bytes) == chunk.id else {
            let name = self.index.pack(location.slot)?.name ?? "?"
            throw .corrupted("Chunk \(chunk.id) in the pack \(name) is damaged; \(user()) needs it. \(Self.advice)")
        }
        return try body(bytes)
    }

    private static let advice = "Restore the repository from a backup, or remove the slug and deploy it again."

    private func frame(at location: ChunkIndex.Location) throws(SlugStoreError) -> UnsafeRawBufferPointer {
        self.uses += 1
        for position in self.frames.indices
        where self.frames[position].frame == location.frame && self.frames[position].slot == location.slot {
            self.frames[position].lastUse = self.uses
            return self.frames[position].content
        }
        let (pack, file) = try self.file(location.slot)
        let frame = pack.frames[Int(location.frame)]
        if self.stored.count < frame.storedBytes {
            self.stored.deallocate()
            self.stored = .allocateFrame(byteCount: max(frame.storedBytes, PackFormat.frameBytes / 2))
        }
        let memory = self.memory(frame.bytes)
        let content = UnsafeMutableRawBufferPointer(rebasing: memory[..<frame.bytes])
        let isSound: Bool
        do throws(SlugStoreError) {
            let stored = UnsafeMutableRawBufferPointer(rebasing: self.stored[..<frame.storedBytes])
            let count = try file.read(at: frame.offset, into: stored, "Reading the pack \(pack.name)")
            let bytes = UnsafeRawBufferPointer(stored)
            isSound =
                count == stored.count && PackFormat.checksum(bytes) == frame.checksum
                && self.decompressor.decompress(bytes, into: content)
        } catch {
            memory.deallocate()
            throw error
        }
        guard isSound else {
            memory.deallocate()
            throw .corrupted("the frame at \(frame.offset) of the pack \(pack.name) is damaged.")
        }
        self.frames.append(
            CachedFrame(
                slot: location.slot, frame: location.frame, memory: memory, bytes: frame.bytes, lastUse: self.uses))
        return UnsafeRawBufferPointer(content)
    }

    /// Room for a frame: that of the one whose use is the longest ago, or new.
    private func memory(_ bytes: Int) -> UnsafeMutableRawBufferPointer {
        if self.frames.count == Self.cachedFrames,
            let oldest = self.frames.indices.min(by: { self.frames[$0].lastUse < self.frames[$1].lastUse })
        {
            let memory = self.frames.remove(at: oldest).memory
            if memory.count >= bytes { return memory }
            memory.deallocate()
        }
        return .allocateFrame(byteCount: bytes)
    }

    private func file(_ slot: UInt32) throws(SlugStoreError) -> (ChunkIndex.Pack, Descriptor) {
        if let known = self.files.first(where: { $0.slot == slot }) { return (known.pack, known.file) }
        guard let pack = self.index.pack(slot) else { throw .corrupted("its pack is gone.") }
        let file: Descriptor
        do throws(SlugStoreError) {
            file = try self.packs.open(pack.name.utf8, O_RDONLY, "Opening the pack \(pack.name)")
        } catch {
            guard error.cause as? Errno == .noSuchFileOrDirectory else { throw error }
            throw .corrupted("the pack \(pack.name) is gone.")
        }
        if self.files.count == Self.cachedFiles { self.files.removeFirst() }
        self.files.append((slot, pack, file))
        return (pack, file)
    }
}
