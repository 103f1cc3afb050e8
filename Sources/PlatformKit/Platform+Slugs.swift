internal import Logging
public import PlatformWire
public import SlugStore
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// What the slug store has, and what it is asked for.
extension Platform {
    /// All slugs, oldest first, with the releases that have them.
    public func storedSlugs() async throws(PlatformError) -> [SlugInfo] {
        let summaries: [SlugSummary]
        do throws(SlugStoreError) { summaries = try await self.slugs.list() } catch { throw Self.failure(error) }
        let uses = try await self.reading { records in
            var uses: [String: [SlugInfo.Use]] = [:]
            let releases = Dictionary(grouping: try records.releases(), by: \.applicationID)
            for application in try records.applications() {
                let pins = try records.pins(of: application.id)
                for release in (releases[application.id] ?? []).reversed() {
                    uses[release.slug, default: []].append(
                        SlugInfo.Use(
                            application: application.name, release: release.version,
                            isLive: release.version == application.liveRelease,
                            isPinned: pins.contains(release.version)))
                }
            }
            return uses
        }
        return summaries.map { slug in
            SlugInfo(
                id: "\(slug.id)", files: slug.files, bytes: slug.bytes, newBytesStored: slug.newBytesStored,
                createdAt: slug.createdAt, buildpacks: slug.metadata.buildpacks, uses: uses["\(slug.id)"] ?? [])
        }
    }

    /// What a release changed in the files of the application.
    ///
    /// - Parameters:
    ///   - old: The release to compare with; `nil`: the one before.
    ///   - new: The release.
    ///   - name: The application.
    ///   - limit: How many entries are told of, at most; the counts are of all.
    /// - Throws: `notFound` for an unknown release, `conflict` when the slug of one was removed.
    public func slugDifference(
        from old: Int?, to new: Int, of name: String, limit: Int
    ) async throws(PlatformError) -> SlugDifferenceInfo {
        guard let old = old ?? (new > 1 ? new - 1 : nil) else {
            throw PlatformError(.invalid, "v1 is the first release of \(name); there is none before it")
        }
        let (before, after) = (try await self.slug(of: old, of: name), try await self.slug(of: new, of: name))
        do throws(SlugStoreError) {
            return SlugDifferenceInfo(try await self.slugs.difference(from: before, to: after), limit: limit)
        } catch {
            throw Self.failure(error)
        }
    }

    /// The files of a release as an archive, which is made while it is read.
    ///
    /// - Throws: `notFound` for an unknown release, `conflict` when its slug was removed.
    public func archive(
        of version: Int, of name: String, compression: TreeArchiver.Compression
    ) async throws(PlatformError) -> ReleaseArchive {
        let (id, holder) = (try await self.slug(of: version, of: name), SlugHolder.reader(UUID()))
        guard try await self.claim(id, for: holder) else {
            throw PlatformError(.conflict, "the slug of v\(version) has just been removed")
        }
        let claim = SlugClaim(holder, of: self)
        do throws(SlugStoreError) {
            return ReleaseArchive(try await self.slugs.archive(id, compression: compression), claim: claim)
        } catch {
            throw Self.failure(error)
        }
    }

    /// Reads and checks what the slug store keeps, and goes on after a damage.
    ///
    /// - Parameters:
    ///   - share: How much of what is stored is read, above 0 to 1; the rest is chosen by chance.
    ///   - principal: Who asks for it.
    ///   - output: Is told how far it is.
    /// - Throws: `invalid` for such a share; `cancelled`; what makes reading impossible. Damage is reported, not thrown.
    public func checkSlugs(
        share: Double, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> SlugCheckInfo {
        guard share > 0, share <= 1 else {
            throw PlatformError(.invalid, "the share to check is above 0 and at most 1; not \(share)")
        }
        try await self.audit("slugs.verify", nil, "", by: principal)
        var options = self.configuration.slugCheck
        (options.share, options.maxBytesPerSecond) = (share, nil)
        let (progress, feed) = AsyncStream<VerificationReport>.makeStream(bufferingPolicy: .bufferingNewest(1))
        do {
            return try await withThrowingTaskGroup(of: SlugCheckInfo?.self) { group in
                group.addTask { [options] in
                    defer { feed.finish() }
                    return SlugCheckInfo(
                        try await self.slugs.verifyAll(
                            options, clock: self.clock, randomness: SystemRandomNumberGenerator()
                        ) { feed.yield($0) })
                }
                group.addTask {
                    var told: Int64 = 0
                    for await report in progress where report.bytes >= told + 1 << 30 {
                        told = report.bytes
                        try await output.line("       \(byteText(report.bytes)) checked")
                    }
                    return nil
                }
                var result: SlugCheckInfo?
                for try await part in group { result = part ?? result }
                guard let result else { throw CancellationError() }
                return result
            }
        } catch {
            throw Self.failure(error)
        }
    }

    /// Removes the slugs that no release has, and gives back the space that no slug needs.
    ///
    /// Of a store that several hosts share no slug is removed: here nobody knows what the others need.
    public func collectSlugGarbage(by principal: Principal) async throws(PlatformError) -> SlugGarbageInfo {
        try await self.audit("slugs.collect", nil, "", by: principal)
        do {
            let count = try await self.removeUnused(among: Set(try await self.slugs.list().map { "\($0.id)" }))
            let report = try await self.slugs.collectGarbage()
            return SlugGarbageInfo(slugs: max(count, report.slugs), chunks: report.chunks, bytes: report.bytes)
        } catch {
            throw Self.failure(error)
        }
    }

    /// The slugs that have to be on this machine: those that are routed to, that something runs from, and that deployments
    /// are under way with. Meant for a cache that makes room.
    public func slugsInUse() async throws(PlatformError) -> Set<SlugID> {
        let claims = self.slugClaims
        let oneOffs = self.state.withLock { $0.oneOffs.map { ($0.key.applicationID, $0.value.workload.release) } }
        let running = self.runtime.instancesByApplication().mapValues { Set($0.map(\.release)) }
            .merging(Dictionary(grouping: oneOffs, by: \.0).mapValues { Set($0.map(\.1)) }) { $0.union($1) }
        return try await self.reading { records in
            var used = claims
            let final = Set(DeploymentState.allCases.filter(\.isFinal).map(\.rawValue))
            let underWay = Dictionary(grouping: try records.deployments(notIn: final), by: \.applicationID)
            for application in try records.applications() {
                var versions = running[application.id] ?? []
                if let live = application.liveRelease { versions.insert(live) }
                versions.formUnion((underWay[application.id] ?? []).compactMap(\.release))
                for version in versions {
                    guard let release = try records.release(version, of: application.id) else { continue }
                    if let id = SlugID(release.slug) { used.insert(id) }
                }
            }
            return used
        }
    }

    private func slug(of version: Int, of name: String) async throws(PlatformError) -> SlugID {
        let application = try await self.find(name)
        guard let release = try await self.reading({ try $0.release(version, of: application.id) }) else {
            throw Self.unknownRelease(version, name)
        }
        try await self.requireSlug(of: release)
        guard let id = SlugID(release.slug) else {
            throw PlatformError(.internalError, "`\(release.slug)`, the slug of v\(version), is no identifier")
        }
        return id
    }

    static func failure(_ error: any Error) -> PlatformError {
        switch error {
        case let error as PlatformError: error
        case is CancellationError: PlatformError(.cancelled, "the request was cancelled")
        case let error as SlugStoreError where error.code == .cancelled:
            PlatformError(.cancelled, "the request was cancelled", cause: error)
        case let error as SlugStoreError where error.code == .notFound:
            PlatformError(.conflict, "a slug was removed meanwhile: \(error)", cause: error)
        default: PlatformError(.internalError, "the slug store: \(error)", cause: error)
        }
    }

    // MARK: In the background

    /// Checks now and then what the store keeps, so that a failing disk is known before a rollback needs it.
    func checkSlugs() async {
        guard let interval = self.configuration.slugCheckInterval else { return }
        while (try? await self.clock.sleep(for: interval)) != nil {
            do throws(SlugStoreError) {
                let report = try await self.slugs.verifyAll(
                    self.configuration.slugCheck, clock: self.clock, randomness: SystemRandomNumberGenerator(),
                    progress: nil)
                self.logger.log(
                    level: report.isSound ? .info : .error,
                    report.isSound ? "the slug store is sound" : "the slug store is damaged",
                    metadata: [
                        "slugs": "\(report.slugs)", "bytes": "\(report.bytes)",
                        "damages": "\(report.damages.map(\.description))",
                        "lost": "\(report.damagedSlugs)",
                    ])
            } catch {
                guard error.code != .cancelled else { return }
                self.logger.warning("cannot check the slug store", metadata: ["error": "\(error)"])
            }
        }
    }
}

extension SlugCheckInfo {
    fileprivate init(_ report: VerificationReport) {
        self.init(
            slugs: report.slugs, bytes: report.bytes, damages: report.damages.map(\.description),
            lostSlugs: report.damagedSlugs.map(\.description))
    }
}

extension SlugDifferenceInfo {
    fileprivate init(_ difference: SlugDifference, limit: Int) {
        let entries =
            difference.added.map { Entry(change: .added, path: $0.path.string, oldBytes: nil, newBytes: $0.bytes) }
            + difference.removed.map {
                Entry(change: .removed, path: $0.path.string, oldBytes: $0.bytes, newBytes: nil)
            }
            + difference.changed.map {
                Entry(change: .changed, path: $0.new.path.string, oldBytes: $0.old.bytes, newBytes: $0.new.bytes)
            }
        self.init(
            added: difference.added.count, removed: difference.removed.count, changed: difference.changed.count,
            bytesIn: difference.bytesIn, bytesOut: difference.bytesOut,
            entries: Array(entries.sorted { $0.path < $1.path }.prefix(limit)))
    }
}
