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
        try await self.betweenRemovals { () async throws(PlatformError) in
            do throws(SlugStoreError) {
                _ = try await self.slugs.summary(of: id)
            } catch {
                guard error.code == .notFound else { throw Self.failure(error) }
                return false
            }
            self.state.withLock { $0.claims[holder] = id }
            return true
        }
    }

    /// Lets a slug go.
    /// - Returns: What it was, if there was one.
    @discardableResult
    func release(_ holder: SlugHolder) -> SlugID? { self.state.withLock { $0.claims.removeValue(forKey: holder) } }

    /// Runs `body` while no slug is being removed: what is removed was chosen before, by what was so then.
    func betweenRemovals<R: Sendable>(
        _ body: () async throws(PlatformError) -> R
    ) async throws(PlatformError) -> R {
        do {
            return try await self.slugRemovals.withTurn { try await body() }
        } catch {
            throw Self.failure(error)
        }
    }
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
