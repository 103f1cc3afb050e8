import AsyncHTTPClient
import Logging
import NIOCore
import SlugStore
import SlugStoreRemotes
import Synchronization
import SystemPackage

/// A client that follows nothing, for one test.
func withClient<R>(
    _ adjust: (inout HTTPClient.Configuration) -> Void = { _ in }, _ body: (HTTPClient) async throws -> R
) async throws -> R {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    adjust(&configuration)
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        let result = try await body(client)
        try await client.shutdown()
        return result
    } catch {
        try? await client.shutdown()
        throw error
    }
}

func makeTransport(
    _ client: HTTPClient, clock: any Clock<Duration> = ContinuousClock(), pausing share: Double = 0,
    _ adjust: (inout RemoteTransport.Configuration) -> Void = { _ in }
) -> RemoteTransport {
    var configuration = RemoteTransport.Configuration()
    adjust(&configuration)
    return RemoteTransport(client: client, configuration: configuration, clock: clock, random: { share })
}

func makeHost(
    _ directory: FilePath, on store: any ObjectStore,
    _ adjust: (inout TieredSlugRepository.Configuration) -> Void = { _ in }
) -> TieredSlugRepository {
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    var local = LocalSlugRepository.Configuration(directory: directory)
    local.synchronises = false
    var configuration = TieredSlugRepository.Configuration()
    configuration.graceTime = .zero
    adjust(&configuration)
    return TieredSlugRepository(
        local: LocalSlugRepository(configuration: local, logger: logger), remote: store, configuration: configuration,
        logger: logger)
}

let testCredentials = S3ObjectStore.Credentials(
    accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

/// The error that `body` throws; `nil` if it throws none.
func slugStoreError(_ body: () async throws(SlugStoreError) -> Void) async -> SlugStoreError? {
    do throws(SlugStoreError) {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// Counts.
final class Counter: Sendable {
    private let count = Mutex(0)

    /// The number of this call, from 1.
    func next() -> Int {
        self.count.withLock { count in
            count += 1
            return count
        }
    }
}
