import AsyncHTTPClient
import Logging
import NIOCore
import PlatformKit
import ServiceLifecycle
import SlugStore
import SlugStoreRemotes
import Synchronization

/// Slugs that several hosts share, with those of this machine before them.
final class RemoteSlugs: Service {
    let repository: TieredSlugRepository
    private let client: HTTPClient
    private let needed = NeededSlugs()

    init(_ settings: ServeSettings.Slugs, local: LocalSlugRepository, logger: Logger) throws {
        var configuration = HTTPClient.Configuration()
        // Requests are signed for where they go.
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(10)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.client = client
        do {
            let store = try settings.address.objectStore(
                credentials: settings.credentials, transport: RemoteTransport(client: client))
            var configuration = TieredSlugRepository.Configuration()
            configuration.mode = settings.address.mode
            configuration.cacheBytes = settings.cacheBytes
            configuration.inUse = { [needed] in try await needed.ids() }
            self.repository = TieredSlugRepository(
                local: local, remote: store, configuration: configuration, logger: logger)
        } catch {
            client.shutdown { _ in }
            throw error
        }
    }

    // What is still being asked for then is asked for by nobody.
    deinit { self.client.shutdown { _ in } }

    /// From now on, what this platform uses stays on this machine.
    func serve(_ platform: Platform) { self.needed.platform.withLock { $0 = platform } }

    /// Sends what waits to be sent, until the host stops; what is left then is sent after the next start.
    func run() async throws {
        await cancelWhenGracefulShutdown { await self.repository.run() }
    }
}

/// What has to stay on this machine. The platform, which knows, is made of the slugs, and so after them.
private final class NeededSlugs: Sendable {
    let platform = Mutex<Platform?>(nil)

    func ids() async throws -> Set<SlugID> {
        guard let platform = self.platform.withLock({ $0 }) else { throw CancellationError() }
        return try await platform.slugsInUse()
    }
}
