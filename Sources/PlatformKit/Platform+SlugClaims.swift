internal import PlatformWire
internal import SlugStore
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Who keeps a slug from being removed, though no release may refer to it.
enum SlugHolder: Hashable, Sendable {
    /// It has stored the slug, or found it, and has no release of it yet.
    case deployment(Platform.DeploymentKey)
    /// It reads the slug's files.
    case reader(UUID)
}

extension Platform {
    /// What somebody keeps.
    var slugClaims: Set<SlugID> { self.state.withLock { Set($0.claims.values) } }

    /// Keeps a slug from being removed until its holder lets it go.
    ///
    /// - Returns: Whether it is still there: of a slug that was stored before, the last release may just have gone.
    func claim(_ id: SlugID, for holder: SlugHolder) async throws(PlatformError) -> Bool {
        do {
            // What is removed in a turn was chosen in it, by what was so then.
            try await self.slugRemovals.withTurn { self.state.withLock { $0.claims[holder] = id } }
        } catch {
            throw Self.failure(error)
        }
        // It cannot go any more. Looked for when the turn is over: a store may be far away, and others wait for theirs.
        do throws(SlugStoreError) {
            _ = try await self.slugs.summary(of: id)
            return true
        } catch {
            self.release(holder)
            guard error.code == .notFound else { throw Self.failure(error) }
            return false
        }
    }

    /// Keeps a former release's slug from being removed, or says that it was.
    func claimSlug(of release: ReleaseRecord, for holder: SlugHolder) async throws(PlatformError) {
        guard let id = SlugID(release.slug) else { return }
        if try await !self.claim(id, for: holder) { try await self.requireSlug(of: release) }
    }

    /// Lets a slug go.
    /// - Returns: What it was, if there was one.
    @discardableResult
    func release(_ holder: SlugHolder) -> SlugID? { self.state.withLock { $0.claims.removeValue(forKey: holder) } }
}

/// Keeps a slug for as long as it lives.
final class SlugClaim: Sendable {
    private let platform: Platform
    private let holder: SlugHolder

    /// Takes a claim over that was made.
    init(_ holder: SlugHolder, of platform: Platform) {
        self.platform = platform
        self.holder = holder
    }

    deinit { self.platform.release(self.holder) }
}
