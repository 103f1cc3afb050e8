import Logging
import SlugStoreTesting
import Synchronization
import SystemPackage

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a test sets of a host's surroundings.
struct Surroundings {
    var clock: any Clock<Duration> = ContinuousClock()
    var random: @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
    var now: @Sendable () -> Date = { Date() }
}

/// A repository of one of several hosts on the same remote.
func makeHost(
    _ directory: FilePath, on store: any ObjectStore, in surroundings: Surroundings = Surroundings(),
    _ adjust: (inout TieredSlugRepository.Configuration) -> Void = { _ in }
) -> TieredSlugRepository {
    var configuration = TieredSlugRepository.Configuration()
    configuration.graceTime = .zero
    adjust(&configuration)
    return TieredSlugRepository(
        local: makeRepository(directory) { $0.now = surroundings.now }, remote: store, configuration: configuration,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), clock: surroundings.clock,
        random: surroundings.random)
}

/// What a remote's calls do, for a test to change.
final class Weather: Sendable {
    private let rule = Mutex<@Sendable (InMemoryObjectStore.Call) -> SlugStoreError?>({ _ in nil })

    func set(_ rule: @escaping @Sendable (InMemoryObjectStore.Call) -> SlugStoreError?) {
        self.rule.withLock { $0 = rule }
    }

    func clear() { self.set { _ in nil } }

    func away() { self.set { _ in SlugStoreError(code: .remoteUnavailable, message: "The remote is away.") } }

    func makeStore() -> InMemoryObjectStore {
        InMemoryObjectStore { call throws(SlugStoreError) in
            if let error = self.rule.withLock({ $0(call) }) { throw error }
        }
    }
}

/// A time that tests set.
final class ManualDate: Sendable {
    private let seconds = Mutex(1_700_000_000.0)

    func now() -> Date { Date(timeIntervalSince1970: self.seconds.withLock { $0 }) }

    func advance(by seconds: Double) { self.seconds.withLock { $0 += seconds } }
}
