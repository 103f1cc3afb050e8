import Logging
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension LocalSlugRepository {
    private struct Source: Sendable {
        var id: SlugID
        var tree: FilePath
        var summary: SlugSummary
    }

    /// Checks everything, and brings what is damaged back from another repository: another machine's, a bucket, a restored
    /// backup. What it gives is proved by its digests like everything else.
    ///
    /// Damaged packs are written anew without what is lost in them; as long as some slug stays damaged, the old ones are kept
    /// in the repository's directory `damaged`, where nothing reads them any more. Puts and materialisations wait meanwhile.
    /// - Parameter other: Where sound slugs are. It is asked only for those that are damaged here.
    /// - Throws: ``SlugStoreError/Code/cancelled``, and what makes reading or writing here impossible. That the other
    ///   repository has not got a slug, or cannot give it, is in the report.
    public func repair(from other: any SlugRepository) async throws(SlugStoreError) -> RepairReport {
        try await self.repair(fromAny: other)
    }

    /// Takes damaged packs out of use, with what is sound in them kept, so that what they lost counts as missing and is
    /// fetched, or stored, anew.
    func setDamageAside() async throws(SlugStoreError) { _ = try await self.repair(fromAny: nil) }

    private func repair(fromAny other: (any SlugRepository)?) async throws(SlugStoreError) -> RepairReport {
        let findings = try await self.findings(
            VerificationOptions(), ContinuousClock(), SystemRandomNumberGenerator(), nil)
        let damaged = Set(findings.report.damagedSlugs)
        let packs = Set(findings.places.map(\.pack))
        guard !damaged.isEmpty || !packs.isEmpty else { return RepairReport() }

        var report = RepairReport()
        var sources: [Source] = []
        for id in damaged.sorted() {
            guard let other else {
                report.lost[id] = "Nothing was asked for it."
                continue
            }
            do throws(SlugStoreError) {
                let summary = try await other.summary(of: id)
                sources.append(Source(id: id, tree: try await other.materialise(id).path, summary: summary))
            } catch {
                guard error.code != .cancelled else { throw error }
                report.lost[id] = error.message
            }
        }
        let found = (report: report, sources: sources)
        return try await self.withRepository(.exclusive) { directory, cancellation throws(SlugStoreError) in
            var report = found.report
            let healthy = try self.index(of: directory, without: packs)
            let pending = PendingPack(directory: directory, index: healthy, reserve: self.configuration.reserve)
            var records: [SlugRecord] = []
            for source in found.sources {
                if let record = try self.restore(source, pending, &report, cancellation) { records.append(record) }
            }
            try self.salvage(packs, findings, in: directory, pending, cancellation)
            let new = try pending.publish()
            report.bytes = new?.bytes ?? 0
            // After their chunks: whatever ends this before, the old records find what they found.
            for record in records {
                let entry = try directory.makeTemporaryFile()
                try record.encoded().withBytes { bytes throws(SlugStoreError) in
                    try entry.descriptor.write(bytes, at: 0, "Writing the record of \(record.summary.id)")
                }
                try directory.replace(with: entry, as: record.summary.id.hex, in: directory.slugs)
                report.repaired.append(record.summary.id)
            }
            // The same chunks at the same places make a pack of the same name, which has replaced the damaged one.
            let old = packs.subtracting([new?.name].compactMap(\.self)).sorted()
            self.forgetPacks()
            self.reconsider(&report, in: directory, healthy)
            for name in old {
                if report.lost.isEmpty {
                    try directory.packs.unlink(name.utf8, "Removing the damaged pack \(name)")
                } else {
                    _ = try directory.move(name, from: directory.packs, to: try directory.damaged(), as: name)
                }
            }
            try self.refreshIndex(directory)
            return report
        }
    }

    private func index(
        of directory: RepositoryDirectory, without packs: Set<String>
    ) throws(SlugStoreError) -> ChunkIndex {
        let index = ChunkIndex()
        for name in try directory.packNames().sorted() where !packs.contains(name) {
            do throws(SlugStoreError) {
                let pack = try directory.readPackIndex(name)
                index.add(name: name, fileBytes: pack.fileBytes, frames: pack.frames)
            } catch {
                // It stays as it is, for those who can read it.
                guard error.code == .unsupportedFormat else { throw error }
            }
        }
        return index
    }

    /// Stores what is missing of a slug, from its tree in the other repository.
    private func restore(
        _ source: Source, _ pending: PendingPack, _ report: inout RepairReport, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> SlugRecord? {
        do throws(SlugStoreError) {
            let root = try Descriptor.directory(at: source.tree)
            let entries = try TreeScanner.scan(root, limits: self.configuration.limits, cancellation: cancellation)
            let ingest = TreeIngest(
                entries, of: root, into: pending, configuration: self.configuration, cancellation: cancellation,
                progress: nil)
            let manifest = Self.manifest(source.summary.metadata, entries, try ingest.run())
            let bytes = manifest.encoded()
            guard SlugID(ChunkID(of: bytes)) == source.id else {
                report.lost[source.id] = "What the other repository gives is another tree."
                return nil
            }
            var summary = source.summary
            (summary.files, summary.bytes) = (manifest.files, manifest.bytes)
            return SlugRecord(summary: summary, manifest: try self.store(manifest: bytes, in: pending))
        } catch {
            switch error.code {
            case .cancelled, .noSpace: throw error
            default: report.lost[source.id] = error.message
            }
            return nil
        }
    }

    /// What one slug has lost may have come back with another.
    private func reconsider(_ report: inout RepairReport, in directory: RepositoryDirectory, _ index: ChunkIndex) {
        for id in report.lost.keys.sorted() {
            guard let reader = try? ChunkReader(index: index, packs: directory.packs),
                let record = try? directory.readRecord(of: id),
                let manifest = try? directory.readManifest(record, reader: reader),
                manifest.chunks.allSatisfy({ index.contains($0.id) })
            else { continue }
            report.lost[id] = nil
            report.repaired.append(id)
        }
        report.repaired.sort()
    }

    /// Copies what is sound in damaged packs.
    private func salvage(
        _ packs: Set<String>, _ findings: Findings, in directory: RepositoryDirectory, _ pending: PendingPack,
        _ cancellation: Cancellation
    ) throws(SlugStoreError) {
        let frames = try FrameWriter(pack: pending, level: self.configuration.compressionLevel)
        for name in packs.sorted() {
            let places = findings.places.filter { $0.pack == name }
            // Without an index, it is not known what is where.
            guard places.allSatisfy({ $0.chunks != nil }),
                // A collection may have taken it since it was checked.
                try directory.packs.status(of: name.utf8, "Looking at the pack \(name)") != nil
            else { continue }
            let lost = places.reduce(into: Set<ChunkID>()) { $0.formUnion($1.chunks ?? []) }
            let index = ChunkIndex()
            let pack = try directory.readPackIndex(name)
            index.add(name: name, fileBytes: pack.fileBytes, frames: pack.frames)
            let reader = try ChunkReader(index: index, packs: directory.packs)
            for chunk in pack.frames.lazy.flatMap(\.chunks) where !lost.contains(chunk.id) && pending.claim(chunk.id) {
                try cancellation.check()
                try reader.withChunk(chunk, for: "some slug") { bytes throws(SlugStoreError) in
                    try frames.append(chunk, bytes)
                }
            }
        }
        try frames.flush()
    }
}
