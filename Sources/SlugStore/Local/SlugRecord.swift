#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is stored under a slug's name: what is known of it at a glance, and where its manifest is. The manifest is chunks
/// like any file, so that slugs which differ little share most of it.
struct SlugRecord: Sendable {
    var summary: SlugSummary
    var manifest: ManifestTree

    private struct Stored: Codable {
        struct Chunk: Codable {
            var id: String
            var length: Int
        }

        var version: Int
        var id: SlugID
        var createdAt: Int64
        var files: Int
        var bytes: Int64
        var newBytesStored: Int64
        var metadata: SlugMetadata
        var manifest: [Chunk]
        var levels: Int
    }

    private static let version = 2

    /// One line of JSON, and one with its digest.
    func encoded() throws(SlugStoreError) -> [UInt8] {
        let stored = Stored(
            version: Self.version, id: self.summary.id,
            createdAt: Int64((self.summary.createdAt.timeIntervalSince1970 * 1000).rounded()),
            files: self.summary.files, bytes: self.summary.bytes, newBytesStored: self.summary.newBytesStored,
            metadata: self.summary.metadata,
            manifest: self.manifest.roots.map { Stored.Chunk(id: $0.id.description, length: $0.length) },
            levels: self.manifest.levels)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let line = Array(try encoder.encode(stored))
            return line + [0x0a] + Array(ChunkID(of: line).description.utf8) + [0x0a]
        } catch {
            throw SlugStoreError(
                code: .inputOutput, message: "Encoding the record of \(self.summary.id).", cause: error)
        }
    }

    init(summary: SlugSummary, manifest: ManifestTree) {
        self.summary = summary
        self.manifest = manifest
    }

    /// Reads a record that must be the one of `id`.
    init(decoding bytes: [UInt8], of id: SlugID) throws(SlugStoreError) {
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        guard lines.count == 3, lines[2].isEmpty, lines[1].elementsEqual(ChunkID(of: Array(lines[0])).description.utf8)
        else {
            throw .corrupted("The record of \(id) is damaged. Remove the slug, or restore the record from a backup.")
        }
        let stored: Stored
        do {
            stored = try JSONDecoder().decode(Stored.self, from: Data(lines[0]))
        } catch {
            throw SlugStoreError(code: .corrupted, message: "The record of \(id) cannot be read.", cause: error)
        }
        guard stored.version == Self.version else {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message: "The record of \(id) has version \(stored.version); this reads version \(Self.version).")
        }
        guard stored.id == id else { throw .corrupted("The record of \(id) is that of \(stored.id).") }
        // Sums of what many records say must not overflow.
        guard (0...(1 << 50)).contains(stored.bytes), (0...(1 << 50)).contains(stored.newBytesStored),
            (0...(1 << 40)).contains(stored.files)
        else { throw .corrupted("The record of \(id) has sizes that are none.") }
        self.summary = SlugSummary(
            id: id, metadata: stored.metadata, files: stored.files, bytes: stored.bytes,
            newBytesStored: stored.newBytesStored,
            createdAt: Date(timeIntervalSince1970: Double(stored.createdAt) / 1000))
        var roots: [SlugManifest.ChunkReference] = []
        for chunk in stored.manifest {
            guard let id = ChunkID(hex: chunk.id), (0...ManifestTree.maxBytes).contains(chunk.length) else {
                throw .corrupted("The record of \(id) names a chunk that is none.")
            }
            roots.append(SlugManifest.ChunkReference(id: id, length: chunk.length))
        }
        // Four digits of a year are what a date has.
        guard (-62_135_596_800_000...253_402_300_799_999).contains(stored.createdAt) else {
            throw .corrupted("The record of \(id) has a time that is none.")
        }
        guard (0...ManifestTree.maxLevels).contains(stored.levels), roots.count <= ManifestTree.maxRoots else {
            throw .corrupted("The record of \(id) has more levels of lists, or chunks, than any other.")
        }
        self.manifest = ManifestTree(roots: roots, levels: stored.levels)
    }
}

extension ChunkID {
    init?(hex: String) {
        guard hex.utf8.count == 2 * Self.byteCount else { return nil }
        var bytes: [UInt8] = []
        var rest = hex.utf8[...]
        while !rest.isEmpty {
            guard let pair = String(rest.prefix(2)), let byte = UInt8(pair, radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self = bytes.withUnsafeBytes { ChunkID(bytes: $0) }
    }
}
