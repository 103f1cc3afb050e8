import CSlugStoreIO

/// The layout of a pack: a header, compressed frames with many chunks each, an index of what is where, a footer.
///
/// A pack is written once and never changed. It is named after the digest of its index, so a name says what is in it.
enum PackFormat {
    static let version: UInt8 = 2
    private static let magic = Array("slipway-pack\u{0}\u{0}\u{0}".utf8)
    private static let endMagic = Array("packend".utf8)
    static let header = magic + [version]
    static let trailer = endMagic + [version]
    /// Offset and length of the index, its digest, the trailer.
    static let footerBytes = 8 + 8 + ChunkID.byteCount + 8
    static let fileExtension = ".pack"

    /// What a frame is filled up to before it is compressed: large enough to compress well, small enough that reading
    /// one chunk of it is cheap.
    static let frameBytes = 2 << 20
    /// What a reader accepts for a frame, before it allocates the memory.
    static let maximumFrameBytes = 16 << 20
    /// What a reader accepts for an index, before it allocates the memory.
    static let maximumIndexBytes = 1 << 30

    struct Frame: Hashable, Sendable {
        var offset: UInt64
        var storedBytes: Int
        var bytes: Int
        /// The CRC-32C of the stored bytes. It costs next to nothing, and no decompressor sees what a failing disk made of them;
        /// that the content is what it should be, the digests of the chunks say.
        var checksum: UInt32
        var chunks: [SlugManifest.ChunkReference]
    }

    /// The version of a pack that another program has written; `nil` of one of this version, or if it is none. Both ends say it: one
    /// alone is a damage.
    static func otherVersion(header: [UInt8], footer: [UInt8]) -> UInt8? {
        guard let version = header.last, version != self.version, header == self.magic + [version],
            footer.suffix(self.trailer.count).elementsEqual(self.endMagic + [version])
        else { return nil }
        return version
    }

    static func checksum(_ stored: UnsafeRawBufferPointer) -> UInt32 {
        slipway_crc32c(stored.baseAddress, stored.count)
    }

    static func encodeIndex(_ frames: [Frame]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frames.reduce(0) { $0 + 20 + $1.chunks.count * (ChunkID.byteCount + 3) })
        appendVarint(frames.count, to: &bytes)
        for frame in frames {
            appendVarint(frame.offset, to: &bytes)
            appendVarint(frame.storedBytes, to: &bytes)
            appendVarint(frame.bytes, to: &bytes)
            withUnsafeBytes(of: frame.checksum.littleEndian) { bytes.append(contentsOf: $0) }
            appendVarint(frame.chunks.count, to: &bytes)
            for chunk in frame.chunks {
                appendVarint(chunk.length, to: &bytes)
                chunk.id.append(to: &bytes)
            }
        }
        return bytes
    }

    static func decodeIndex(_ bytes: [UInt8], indexOffset: UInt64) throws(ByteReader.Malformed) -> [Frame] {
        var reader = ByteReader(bytes)
        // Each takes four numbers at least, a checksum and a chunk.
        let count = try reader.count(limit: bytes.count / (4 + 4 + ChunkID.byteCount), "frames")
        var frames: [Frame] = []
        frames.reserveCapacity(count)
        for _ in 0..<count {
            let offset = try reader.varint()
            let stored = try reader.count(limit: maximumFrameBytes * 2, "the stored size of a frame")
            let size = try reader.count(limit: maximumFrameBytes, "the size of a frame")
            let checksum = try reader.littleEndianHalfWord()
            guard offset <= indexOffset, UInt64(stored) <= indexOffset - offset else {
                throw reader.malformed("has a frame beyond its end")
            }
            var chunks: [SlugManifest.ChunkReference] = []
            var used = 0
            for _ in 0..<(try reader.count(limit: bytes.count / ChunkID.byteCount, "chunks of a frame")) {
                let length = try reader.count(limit: min(size - used, self.frameBytes), "the length of a chunk")
                chunks.append(SlugManifest.ChunkReference(id: try reader.chunkID(), length: length))
                used += length
            }
            guard used == size, used > 0 else { throw reader.malformed("has a frame that is not what its chunks are") }
            frames.append(
                Frame(offset: offset, storedBytes: stored, bytes: size, checksum: checksum, chunks: chunks))
        }
        guard reader.isAtEnd else { throw reader.malformed("goes on after its end") }
        return frames
    }

    static func encodeFooter(indexOffset: UInt64, index: [UInt8], digest: ChunkID) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeBytes(of: indexOffset.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt64(index.count).littleEndian) { bytes.append(contentsOf: $0) }
        digest.append(to: &bytes)
        bytes.append(contentsOf: self.trailer)
        return bytes
    }

    /// Where the index is and what its digest must be.
    static func decodeFooter(
        _ bytes: [UInt8], fileBytes: UInt64
    ) throws(ByteReader.Malformed) -> (offset: UInt64, count: Int, digest: ChunkID) {
        var reader = ByteReader(bytes)
        let offset = try reader.littleEndianWord()
        let count = try reader.littleEndianWord()
        let digest = try reader.chunkID()
        guard try reader.take(self.trailer.count) == self.trailer[...] else {
            throw reader.malformed("does not end as a pack of a known version does")
        }
        guard offset <= fileBytes, count <= UInt64(self.maximumIndexBytes),
            offset.addingReportingOverflow(count).partialValue == fileBytes - UInt64(self.footerBytes)
        else { throw reader.malformed("has an index that does not fit the file") }
        return (offset, Int(count), digest)
    }
}
