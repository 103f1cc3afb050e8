import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension LocalSlugRepository {
    /// What is known of damages while a check goes on.
    struct Findings: Sendable {
        /// A damaged place, and the chunks that are read from it.
        struct Place: Sendable {
            var pack: String
            var description: String
            /// `nil`: all that are in the pack.
            var chunks: Set<ChunkID>?
            var slugs: Set<SlugID> = []
        }

        var report = VerificationReport()
        var places: [Place] = []
    }

    /// Reads what the repository has on disk: packs, lists of files, signatures, and the trees that were made. It holds the
    /// repository for short times only, so that puts and collections go on beside it. See
    /// ``SlugRepository/verifyAll(_:clock:randomness:progress:)``.
    ///
    /// What is damaged here can be brought back from elsewhere by ``repair(from:)``; a damaged tree is made again when it is
    /// asked for next.
    public func verifyAll(
        _ options: VerificationOptions, clock: any Clock<Duration>, randomness: any RandomNumberGenerator & Sendable,
        progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) -> VerificationReport {
        let findings = try await self.findings(options, clock, randomness, progress)
        for damage in findings.report.damages {
            self.logger.error(
                "a damage was found",
                metadata: ["slug.damage": "\(damage.description)", "slug.count": "\(damage.slugs.count)"])
        }
        return findings.report
    }

    func findings(
        _ options: VerificationOptions, _ clock: any Clock<Duration>,
        _ randomness: any RandomNumberGenerator & Sendable, _ progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) -> Findings {
        var findings = Findings()
        let pace = Pace(limit: options.maxBytesPerSecond)
        var randomness = randomness
        let names = try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try directory.packNames().sorted()
        }
        for name in names {
            let opened = try await self.open(pack: name, &findings)
            guard let check = opened else { continue }
            let chosen = check.frames.map { _ in
                options.share >= 1 || Double.random(in: 0..<1, using: &randomness) < options.share
            }
            var position = 0
            while position < check.frames.count {
                let start = position
                let part = try await self.withRepository(.shared) {
                    directory, cancellation throws(SlugStoreError) -> ReadPart? in
                    // A collection may have taken it since.
                    guard try directory.packs.status(of: name.utf8, "Looking at the pack \(name)") != nil else {
                        return nil
                    }
                    var part = ReadPart()
                    let read = try check.read(from: start, limit: 8 << 20, only: { chosen[$0] }, cancellation) {
                        part.bad.append($0)
                    }
                    (part.frames, part.chunks, part.bytes) = read
                    return part
                }
                guard let part else { break }
                position += part.frames
                findings.report.chunks += part.chunks
                findings.report.bytes += part.bytes
                findings.places += part.bad.map {
                    Findings.Place(pack: name, description: $0.description, chunks: Set($0.chunks))
                }
                progress?(findings.report)
                try await pace.wait(after: part.bytes, clock)
            }
        }
        try await self.checkSlugs(&findings, options, clock, progress)
        findings.report.damages += findings.places.map {
            VerificationReport.Damage(description: $0.description, slugs: $0.slugs.sorted())
        }
        return findings
    }

    private struct ReadPart: Sendable {
        var frames = 0
        var chunks = 0
        var bytes: Int64 = 0
        var bad: [PackCheck.BadFrame] = []
    }

    private func open(pack name: String, _ findings: inout Findings) async throws(SlugStoreError) -> PackCheck? {
        do throws(SlugStoreError) {
            return try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
                guard try directory.packs.status(of: name.utf8, "Looking at the pack \(name)") != nil else {
                    return nil
                }
                return try PackCheck(name, in: directory)
            }
        } catch {
            switch error.code {
            case .corrupted:
                findings.places.append(Findings.Place(pack: name, description: error.message, chunks: nil))
            case .unsupportedFormat:
                // It may be as sound as any: no place, which a repair would write anew without it.
                findings.report.damages.append(.init(description: error.message, slugs: []))
            default:
                throw error
            }
            return nil
        }
    }

    private func checkSlugs(
        _ findings: inout Findings, _ options: VerificationOptions, _ clock: any Clock<Duration>,
        _ progress: (@Sendable (VerificationReport) -> Void)?
    ) async throws(SlugStoreError) {
        let pace = Pace(limit: options.maxBytesPerSecond)
        let ids = try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            try directory.slugIDs().sorted()
        }
        for id in ids {
            let before = findings
            let found = try await self.withTree(of: id) { () async throws(SlugStoreError) in
                try await self.withRepository(.shared) { directory, cancellation throws(SlugStoreError) in
                    var findings = before
                    try self.check(id, in: directory, &findings, checksTree: options.checksTrees, cancellation)
                    return findings
                }
            }
            try await pace.wait(after: found.report.bytes - findings.report.bytes, clock)
            findings = found
            progress?(findings.report)
        }
    }

    private func check(
        _ id: SlugID, in directory: RepositoryDirectory, _ findings: inout Findings, checksTree: Bool,
        _ cancellation: Cancellation
    ) throws(SlugStoreError) {
        do throws(SlugStoreError) {
            let record = try directory.readRecord(of: id)
            findings.report.slugs += 1
            let (manifest, chunks) = try directory.readManifestAndChunks(
                record, reader: try ChunkReader(index: self.index, packs: directory.packs))
            var missing = 0
            for chunk in chunks + manifest.chunks {
                guard let pack = self.index.location(of: chunk.id).flatMap({ self.index.pack($0.slot)?.name }) else {
                    missing += 1
                    continue
                }
                for place in findings.places.indices
                where findings.places[place].pack == pack
                    && findings.places[place].chunks?.contains(chunk.id) ?? true
                {
                    findings.places[place].slugs.insert(id)
                }
            }
            if missing > 0 {
                findings.report.damages.append(
                    .init(description: "\(missing) chunks of the slug \(id) are in no pack.", slugs: [id]))
            }
            for name in try directory.damagedSignatures(of: id) {
                findings.report.damages.append(
                    .init(
                        description: "The signature \(printable(name.utf8)) is not valid. Sign the slug again "
                            + "with its key, or delete the file.",
                        slugs: []))
            }
            if checksTree { try self.checkTree(of: id, record.summary, in: directory, &findings, cancellation) }
        } catch {
            switch error.code {
            case .notFound: break  // removed meanwhile
            case .corrupted, .unsupportedFormat:
                findings.report.damages.append(.init(description: error.message, slugs: [id]))
            default: throw error
            }
        }
    }

    private func checkTree(
        of id: SlugID, _ summary: SlugSummary, in directory: RepositoryDirectory, _ findings: inout Findings,
        _ cancellation: Cancellation
    ) throws(SlugStoreError) {
        guard try directory.trees.status(of: id.hex.utf8, "Looking for the tree of \(id)") != nil else { return }
        do throws(SlugStoreError) {
            let root = try directory.trees.open(id.hex.utf8, O_RDONLY | O_DIRECTORY, "Opening the tree of \(id)")
            findings.report.bytes += summary.bytes
            if try self.identify(root, summary.metadata, cancellation) == id { return }
        } catch {
            guard error.code != .cancelled else { throw error }
        }
        // Instances may be running from it; whoever asks for it next gets a sound one.
        self.distrust(id)
        try directory.trees.unlink(
            RepositoryDirectory.voucher(id.hex).utf8, "Noting that the tree of \(id) is damaged")
        findings.report.damages.append(
            .init(
                description:
                    "The tree of the slug \(id) is not what the slug holds; it is made again when an instance is "
                    + "started next.", slugs: []))
    }
}
