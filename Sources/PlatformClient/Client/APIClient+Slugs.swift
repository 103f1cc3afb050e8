internal import NIOCore
public import PlatformWire

/// Slugs: what releases are made of.
extension APIClient {
    /// All slugs of the host, oldest first, with the releases that have them.
    public func slugs() async throws -> [SlugInfo] { try await self.value(Call(.get, "slugs")) }

    /// Pins a release, so that its slug is kept, or lets it go again.
    public func setPin(_ isPinned: Bool, of version: Int, of application: String) async throws -> ReleaseInfo {
        try await self.value(
            Call(isPinned ? .put : .delete, "apps", application, "releases", String(version), "pin"))
    }

    /// What a release changed in the files of the application.
    ///
    /// - Parameters:
    ///   - old: The release to compare with; `nil`: the one before.
    ///   - new: The release.
    ///   - application: The application.
    ///   - limit: How many entries are wanted; the counts are of all.
    public func slugDifference(
        from old: Int?, to new: Int, of application: String, limit: Int = 1_000
    ) async throws -> SlugDifferenceInfo {
        var call = Call(.get, "apps", application, "releases", String(new), "diff", query: [("n", String(limit))])
        if let old { call.query.append(("from", String(old))) }
        return try await self.value(call)
    }

    /// Downloads the files of a release.
    ///
    /// - Parameters:
    ///   - version: The release.
    ///   - application: The application.
    ///   - format: `tar`, `tar.gz` or `tar.zst`.
    ///   - onBytes: Takes the archive as it comes. What it was given is no archive until this function has returned: a host
    ///     that fails on the way breaks the answer off, and ``ClientError`` with the code `interrupted` is thrown.
    public func archive(
        of version: Int, of application: String, format: String, onBytes: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let call = Call(
            .get, "apps", application, "releases", String(version), "archive", query: [("format", format)])
        try await self.body(call) { buffer in try await onBytes([UInt8](buffer.readableBytesView)) }
    }

    /// Has the host read and check what its slug store keeps.
    ///
    /// - Parameters:
    ///   - share: How much of it is read, above 0 to 1.
    ///   - onLine: Is told how far it is.
    public func checkSlugs(share: Double, onLine: ProgressHandler) async throws -> SlugCheckInfo {
        let call = try Call(.post, "slugs", "verify").json(SlugCheckRequest(share: share))
        return try await self.events(call, result: SlugCheckInfo.self, onLine: onLine)
    }

    /// Has the host remove the slugs that no release has, and give back the space that no slug needs.
    public func collectSlugGarbage(onLine: ProgressHandler) async throws -> SlugGarbageInfo {
        try await self.events(Call(.post, "slugs", "collect"), result: SlugGarbageInfo.self, onLine: onLine)
    }
}
