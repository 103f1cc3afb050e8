public import PlatformWire

extension Platform {
    /// The newest releases first.
    public func releases(of name: String) async throws(PlatformError) -> [ReleaseInfo] {
        let application = try await self.find(name)
        let releases = try await self.reading { try $0.releases(of: application.id, limit: 200) }
        var result: [ReleaseInfo] = []
        for release in releases { result.append(try self.info(release, application)) }
        return result
    }

    /// One release.
    public func release(_ version: Int, of name: String) async throws(PlatformError) -> ReleaseInfo {
        let application = try await self.find(name)
        guard let release = try await self.reading({ try $0.release(version, of: application.id) }) else {
            throw PlatformError(.notFound, "\(name) has no release v\(version)")
        }
        return try self.info(release, application)
    }

    private func info(_ release: ReleaseRecord, _ application: ApplicationRecord) throws(PlatformError) -> ReleaseInfo {
        ReleaseInfo(
            version: release.version, slug: release.slug, description: release.description, author: release.author,
            commit: release.commit, processTypes: release.processTypes,
            configKeys: try self.sealer.open(release.sealedConfig, for: application.id).keys.sorted(),
            createdAt: release.createdAt, isLive: application.liveRelease == release.version)
    }
}
