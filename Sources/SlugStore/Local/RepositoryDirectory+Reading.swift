import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension RepositoryDirectory {
    /// The names of all packs, unsorted.
    func packNames() throws(SlugStoreError) -> [String] {
        try self.packs.entries("Listing the repository's packs").compactMap { entry in
            let name = String(validating: entry.name, as: UTF8.self)
            return name.flatMap { $0.hasSuffix(PackFormat.fileExtension) ? $0 : nil }
        }
    }

    /// The identifiers of all slugs, unsorted.
    func slugIDs() throws(SlugStoreError) -> [SlugID] {
        try self.slugs.entries("Listing the repository's slugs").compactMap { entry in
            String(validating: entry.name, as: UTF8.self).flatMap { SlugID(hex: $0) }
        }
    }

    func hasRecord(of id: SlugID) throws(SlugStoreError) -> Bool {
        try self.slugs.status(of: id.hex.utf8, "Looking for the slug \(id)") != nil
    }

    func notFound(_ id: SlugID) -> SlugStoreError {
        SlugStoreError(code: .notFound, message: "There is no slug \(id) in the repository \(self.path).")
    }

    func readRecord(of id: SlugID) throws(SlugStoreError) -> SlugRecord {
        let what = "Reading the record of \(id)"
        let file: Descriptor
        do throws(SlugStoreError) {
            file = try self.slugs.open(id.hex.utf8, O_RDONLY, what)
        } catch {
            guard error.cause as? Errno == .noSuchFileOrDirectory else { throw error }
            throw self.notFound(id)
        }
        let size = Int(try file.status(what).st_size)
        guard size <= 256 << 20 else { throw .corrupted("The record of \(id) has \(size) bytes; none is that large.") }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try file.read(at: 0, into: buffer, what)
        }
        return try SlugRecord(decoding: Array(bytes[..<count]), of: id)
    }

    /// Puts a slug's manifest together from its chunks. That its digest is the slug's proves all of it.
    func readManifest(_ record: SlugRecord, reader: ChunkReader) throws(SlugStoreError) -> SlugManifest {
        try self.readManifestAndChunks(record, reader: reader).manifest
    }

    /// The manifest, and the chunks that it is stored in itself.
    func readManifestAndChunks(
        _ record: SlugRecord, reader: ChunkReader
    ) throws(SlugStoreError) -> (manifest: SlugManifest, chunks: [SlugManifest.ChunkReference]) {
        let id = record.summary.id
        let (bytes, chunks) = try record.manifest.read { chunk, bytes throws(SlugStoreError) in
            try reader.withChunk(chunk, for: "the manifest of \(id)") { bytes.append(contentsOf: $0) }
        }
        guard SlugID(ChunkID(of: bytes)) == id else {
            throw .corrupted("The manifest of \(id) does not have that digest. Restore its record, or remove the slug.")
        }
        let manifest: SlugManifest
        do throws(ByteReader.Malformed) {
            manifest = try SlugManifest(decoding: bytes)
        } catch {
            throw .corrupted("The manifest of \(id) \(error.what) (at byte \(error.offset)).")
        }
        // The record repeats it, and nothing but this keeps it from saying something else.
        let summary = record.summary
        guard manifest.metadata == summary.metadata, manifest.files == summary.files, manifest.bytes == summary.bytes
        else {
            throw .corrupted(
                "The record of \(id) says something else than its manifest. Restore it, or remove the slug.")
        }
        return (manifest, chunks)
    }

    func readPackIndex(_ name: String) throws(SlugStoreError) -> (frames: [PackFormat.Frame], fileBytes: Int64) {
        let what = "Reading the index of the pack \(name)"
        let file = try self.packs.open(name.utf8, O_RDONLY, what)
        let size = UInt64(try file.status(what).st_size)
        func read(_ offset: UInt64, _ count: Int) throws(SlugStoreError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            let read = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
                try file.read(at: offset, into: buffer, what)
            }
            guard read == count else { throw .corrupted("The pack \(name) ends too early.") }
            return bytes
        }
        guard size >= UInt64(PackFormat.header.count + PackFormat.footerBytes) else {
            throw .corrupted("The pack \(name) has only \(size) bytes.")
        }
        let header = try read(0, PackFormat.header.count)
        let footer = try read(size - UInt64(PackFormat.footerBytes), PackFormat.footerBytes)
        if let version = PackFormat.otherVersion(header: header, footer: footer) {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message: "The pack \(name) has version \(version); this reads version \(PackFormat.version). Use the "
                    + "program that wrote it.")
        }
        guard header == PackFormat.header else {
            throw .corrupted("The pack \(name) does not start as a pack does.")
        }
        let place = try self.decoding(name) { () throws(ByteReader.Malformed) in
            try PackFormat.decodeFooter(footer, fileBytes: size)
        }
        let index = try read(place.offset, place.count)
        guard ChunkID(of: index) == place.digest else { throw .corrupted("The index of the pack \(name) is damaged.") }
        let frames = try self.decoding(name) { () throws(ByteReader.Malformed) in
            try PackFormat.decodeIndex(index, indexOffset: place.offset)
        }
        return (frames, Int64(size))
    }

    private func decoding<R>(
        _ pack: String, _ body: () throws(ByteReader.Malformed) -> R
    ) throws(SlugStoreError) -> R {
        do throws(ByteReader.Malformed) {
            return try body()
        } catch {
            throw .corrupted("The index of the pack \(pack) \(error.what) (at byte \(error.offset)).")
        }
    }
}
