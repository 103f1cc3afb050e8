/// One thread's way into a pack: gathers chunks until a frame is full, compresses it and appends it.
///
/// Many small files share a frame, which compresses far better and faster than each of them alone.
final class FrameWriter {
    private let pack: PendingPack
    private let compressor: ZstdCompressor
    // Small until more comes: often it is a few files of a release that are new.
    private var raw: UnsafeMutableRawBufferPointer
    private var compressed: UnsafeMutableRawBufferPointer
    private var used = 0
    private var chunks: [SlugManifest.ChunkReference] = []

    init(pack: PendingPack, level: Int) throws(SlugStoreError) {
        self.pack = pack
        self.compressor = try ZstdCompressor(level: level)
        self.raw = .allocateFrame(byteCount: PackFormat.frameBytes / 16)
        self.compressed = .allocateFrame(byteCount: ZstdCompressor.bound(self.raw.count))
    }

    deinit {
        self.raw.deallocate()
        self.compressed.deallocate()
    }

    /// Adds a chunk, which is smaller than a frame.
    func append(_ chunk: SlugManifest.ChunkReference, _ bytes: UnsafeRawBufferPointer) throws(SlugStoreError) {
        guard bytes.count <= PackFormat.frameBytes else {
            throw .corrupted(
                "The chunk \(chunk.id) has \(bytes.count) bytes; none is larger than \(PackFormat.frameBytes).")
        }
        if self.used + bytes.count > PackFormat.frameBytes { try self.flush() }
        if self.used + bytes.count > self.raw.count { self.grow() }
        UnsafeMutableRawBufferPointer(rebasing: self.raw[self.used...]).copyMemory(from: bytes)
        self.used += bytes.count
        self.chunks.append(chunk)
    }

    private func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocateFrame(byteCount: PackFormat.frameBytes)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.raw[..<self.used]))
        self.raw.deallocate()
        self.compressed.deallocate()
        self.raw = larger
        self.compressed = .allocateFrame(byteCount: ZstdCompressor.bound(larger.count))
    }

    /// Writes what has been gathered.
    func flush() throws(SlugStoreError) {
        guard self.used > 0 else { return }
        let frame = UnsafeRawBufferPointer(rebasing: self.raw[..<self.used])
        let count = try self.compressor.compress(frame, into: self.compressed)
        try self.pack.writer().append(UnsafeRawBufferPointer(rebasing: self.compressed[..<count]), chunks: self.chunks)
        self.used = 0
        self.chunks.removeAll(keepingCapacity: true)
    }
}
