internal import Logging
internal import PlatformWire
internal import SlugStore
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// What becomes of the slugs of former releases.
extension Platform {
    /// Removes the slugs of an application that the retention policy lets go, and what nobody needs any more with them. The
    /// releases stay in the list; a rollback to one of them says that its slug is gone.
    ///
    /// Never removed are the slug that is live, the one before it, those of pinned releases, what a deployment is under way
    /// with, what instances run from, and what another application's release has too.
    func retireSlugs(of applicationID: String) async {
        let policy = self.configuration.slugRetention
        guard policy != RetentionPolicy() else { return }
        do {
            var kept = try await Dictionary(self.slugs.list().map { ($0.id, $0) }) { first, _ in first }
            var count = 0
            while true {
                // Chosen anew in each turn: in between, any may have been claimed, pinned or deployed.
                let (batch, removed) = try await self.slugRemovals.withTurn { [kept] in
                    let expired = try await self.expiredSlugs(of: applicationID, policy, among: kept)
                    let batch = expired.prefix(Self.slugsPerTurn)
                    return (batch, try await self.remove(batch))
                }
                guard !batch.isEmpty else { break }
                for id in batch { kept[id] = nil }
                count += removed
            }
            guard count > 0 else { return }
            let report = try await self.slugs.collectGarbage()
            self.logger.info(
                "removed the slugs of old releases",
                metadata: [
                    "app": "\(self.names.name(of: applicationID))", "slugs": "\(count)",
                    "bytes": "\(report.bytes)",
                ])
        } catch {
            self.logger.warning("cannot remove the slugs of old releases", metadata: ["error": "\(error)"])
        }
    }

    private func expiredSlugs(
        of applicationID: String, _ policy: RetentionPolicy, among kept: [SlugID: SlugSummary]
    ) async throws -> [SlugID] {
        let oneOffs = self.state.withLock { state in
            state.oneOffs.filter { $0.key.applicationID == applicationID }.map(\.value.workload.release)
        }
        let running = Set(self.runtime.instances(of: applicationID).map(\.release) + oneOffs)
        let (now, claims) = (self.now(), self.slugClaims)
        return try await self.store.read { records in
            let pins = try records.pins(of: applicationID)
            let releases = try records.releases(of: applicationID, limit: 100_000)
            let live = try records.application(id: applicationID)?.liveRelease
            let underWay = Set(
                try records.deployments(notIn: Set(DeploymentState.allCases.filter(\.isFinal).map(\.rawValue)))
                    .filter { $0.applicationID == applicationID }.compactMap(\.release))
            var protected = claims.union(try records.slugsInUse(exceptBy: applicationID).compactMap { SlugID($0) })
            // The newest first: of those below the live one, the first is where a rollback leads.
            let wentLive = Set(
                try records.deployments(of: applicationID, limit: 100_000)
                    .filter { $0.state == DeploymentState.live.rawValue }.compactMap(\.release))
            let former = releases.first { $0.version < live ?? 0 && wentLive.contains($0.version) }
            for release in releases {
                let isNeeded =
                    release.version == live || release.version == former?.version || running.contains(release.version)
                    || underWay.contains(release.version) || pins.contains(release.version)
                if isNeeded, let id = SlugID(release.slug) { protected.insert(id) }
            }
            var candidates: [SlugID: RetentionPolicy.Candidate] = [:]
            // Those that went live first: a row of failures must not crowd out what there is to go back to.
            for release in releases.filter({ wentLive.contains($0.version) }) + releases {
                guard let id = SlugID(release.slug), let summary = kept[id], candidates[id] == nil else { continue }
                // Failures are older than all that went live, and among themselves as old as they are.
                let lastUse = release.createdAt.addingTimeInterval(wentLive.contains(release.version) ? 0 : -1e10)
                candidates[id] = .init(id: id, lastUse: lastUse, bytes: summary.newBytesStored)
            }
            return policy.expired(Array(candidates.values), keeping: protected, now: now)
        }
    }

    /// Refuses what cannot be started again because its slug has been removed.
    func requireSlug(of release: ReleaseRecord) async throws(PlatformError) {
        guard let id = SlugID(release.slug) else { return }
        do throws(SlugStoreError) {
            _ = try await self.slugs.summary(of: id)
        } catch {
            guard error.code == .notFound else {
                throw PlatformError(
                    .internalError, "cannot look for the slug of v\(release.version): \(error)", cause: error)
            }
            let source = release.commit.map { "deploy commit \($0.prefix(12)) again" } ?? "deploy its source again"
            throw PlatformError(
                .conflict,
                "the slug of v\(release.version) was removed, as those of old releases are after a while; \(source)")
        }
    }

    /// Removes slugs that no release refers to any more, and what nobody needs any more with them.
    func removeUnused(_ slugs: Set<String>) async {
        do {
            if try await self.removeUnused(among: slugs) > 0 { _ = try await self.slugs.collectGarbage() }
        } catch {
            self.logger.warning("cannot remove slugs", metadata: ["error": "\(error)"])
        }
    }

    /// Removes what a host that stopped between a slug and its release, or between the end of an application and that of its
    /// slugs, has left.
    func removeLeftSlugs() async {
        guard self.configuration.slugRetention != RetentionPolicy() else { return }
        do {
            await self.removeUnused(Set(try await self.slugs.list().map { "\($0.id)" }))
        } catch {
            self.logger.warning("cannot look for slugs that nobody needs", metadata: ["error": "\(error)"])
        }
    }

    /// Removes those of these slugs that no release refers to, whenever it is this one's turn.
    ///
    /// - Returns: How many.
    func removeUnused(among slugs: Set<String>) async throws -> Int {
        // Of a store that is shared, nobody knows here what the others need.
        guard self.configuration.slugRetention != RetentionPolicy() else { return 0 }
        var left = try await self.unused(among: slugs)[...]
        var count = 0
        while !left.isEmpty {
            let batch = Set(left.prefix(Self.slugsPerTurn).map { "\($0)" })
            left = left.dropFirst(Self.slugsPerTurn)
            count += try await self.slugRemovals.withTurn {
                // Again, for only in the turn it stays so.
                try await self.remove(try await self.unused(among: batch))
            }
        }
        return count
    }

    private func unused(among slugs: Set<String>) async throws -> [SlugID] {
        let claims = self.slugClaims
        return try await slugs.subtracting(self.store.read { try $0.slugsInUse(exceptBy: nil) })
            .compactMap { SlugID($0) }.filter { !claims.contains($0) }
    }

    /// How many slugs are removed before others have their turn: deployments wait for it.
    private static var slugsPerTurn: Int { 4 }

    /// - Returns: How many of them were there.
    private func remove(_ slugs: some Sequence<SlugID>) async throws(SlugStoreError) -> Int {
        var count = 0
        for id in slugs {
            do throws(SlugStoreError) {
                try await self.slugs.remove(id)
                count += 1
            } catch {
                // It went with an old release.
                guard error.code == .notFound else { throw error }
            }
        }
        return count
    }

    // MARK: After deployments

    /// Removes in the background what deployments of an application have left that nobody needs. However many end, one job at a
    /// time does it.
    ///
    /// - Parameter slug: what one that failed has stored, or kept.
    func tidySlugs(of applicationID: String, without slug: SlugID? = nil) {
        let isFirst = self.state.withLock { state in
            var slugs = state.untidy[applicationID] ?? []
            if let slug { slugs.insert(slug) }
            state.untidy[applicationID] = slugs
            return state.tidying.insert(applicationID).inserted
        }
        guard isFirst else { return }
        self.jobs.add {
            while let slugs = self.nextUntidy(of: applicationID) {
                await self.removeUnused(Set(slugs.map { "\($0)" }))
                await self.retireSlugs(of: applicationID)
            }
        }
    }

    private func nextUntidy(of applicationID: String) -> Set<SlugID>? {
        self.state.withLock { state in
            if let slugs = state.untidy.removeValue(forKey: applicationID) { return slugs }
            state.tidying.remove(applicationID)
            return nil
        }
    }
}
