public import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// The newest releases first.
    public func releases(of name: String) async throws(PlatformError) -> [ReleaseInfo] {
        let application = try await self.find(name)
        let (releases, pins) = try await self.reading {
            (try $0.releases(of: application.id, limit: 200), try $0.pins(of: application.id))
        }
        var result: [ReleaseInfo] = []
        for release in releases { result.append(try self.info(release, application, pins)) }
        return result
    }

    /// One release.
    public func release(_ version: Int, of name: String) async throws(PlatformError) -> ReleaseInfo {
        let application = try await self.find(name)
        let (release, pins) = try await self.reading {
            (try $0.release(version, of: application.id), try $0.pins(of: application.id))
        }
        guard let release else { throw Self.unknownRelease(version, name) }
        return try self.info(release, application, pins)
    }

    /// Pins a release, so that its slug is kept however many come after it, or lets it go again.
    ///
    /// - Throws: `notFound` for an unknown release, `conflict` when its slug was removed before, and `limit` beyond
    ///   ``Platform/Configuration/maxPinsPerApplication``.
    public func setPin(
        _ isPinned: Bool, of version: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> ReleaseInfo {
        let application = try await self.find(name)
        guard let release = try await self.reading({ try $0.release(version, of: application.id) }) else {
            throw Self.unknownRelease(version, name)
        }
        let limit = self.configuration.maxPinsPerApplication
        // Between a look at the slug and the pin it is not removed.
        let holder = SlugHolder.reader(UUID())
        defer { self.release(holder) }
        if isPinned { try await self.claimSlug(of: release, for: holder) }
        let pins = try await self.writing { records -> Set<Int> in
            guard try records.release(version, of: application.id) != nil else {
                throw Self.unknownRelease(version, name)
            }
            try records.setPin(isPinned, of: version, of: application.id)
            let pins = try records.pins(of: application.id)
            guard !isPinned || pins.count <= limit else {
                throw PlatformError(.limit, "\(name) has \(limit) pinned releases; unpin one that is not needed")
            }
            return pins
        }
        try await self.audit(isPinned ? "release.pin" : "release.unpin", application, "v\(version)", by: principal)
        return try self.info(release, application, pins)
    }

    static func unknownRelease(_ version: Int, _ name: String) -> PlatformError {
        PlatformError(.notFound, "\(name) has no release v\(version)")
    }

    private func info(
        _ release: ReleaseRecord, _ application: ApplicationRecord, _ pins: Set<Int>
    ) throws(PlatformError) -> ReleaseInfo {
        ReleaseInfo(
            version: release.version, slug: release.slug, description: release.description, author: release.author,
            commit: release.commit, processTypes: release.processTypes,
            configKeys: try self.sealer.open(release.sealedConfig, for: application.id).keys.sorted(),
            createdAt: release.createdAt, isLive: application.liveRelease == release.version,
            isPinned: pins.contains(release.version))
    }
}
