import Logging
import Synchronization
import Testing

@testable import RouterCore

/// Collects what the router reports.
final class RecordingObserver: RequestObserver {
    private struct State {
        var records: [RequestRecord] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())

    func requestsFinished(_ requests: RequestBatch) {
        let due = self.state.withLock { state in
            state.records += requests
            let count = state.records.count
            let due = state.watchers.filter { $0.count <= count }
            state.watchers.removeAll { $0.count <= count }
            return due
        }
        for watcher in due { watcher.continuation.resume() }
    }

    func records(atLeast count: Int) async -> [RequestRecord] {
        await withCheckedContinuation { continuation in
            let isReady = self.state.withLock { state in
                if state.records.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return self.state.withLock { $0.records }
    }
}

/// Who moves a router's bytes; what it does must not depend on it.
enum Driver: CaseIterable {
    /// The loops of its own, where there are any.
    case own
    case channels
}

/// Runs a router on a free port for the length of `body`.
func withRouter(
    _ driver: Driver = .own, configure: (inout Router.Configuration) -> Void = { _ in },
    certificates: CertificateStore? = nil, challenges: ACMEChallenges? = nil,
    wake: @escaping @Sendable (String) -> Void = { _ in }, observer: (any RequestObserver)? = nil,
    clock: any Clock<Duration> = ContinuousClock(), seed: UInt64 = 1,
    _ body: (Router, Int) async throws -> Void
) async throws {
    var configuration = Router.Configuration(host: "127.0.0.1", port: 0)
    configuration.threads = 2
    configuration.prefersChannels = driver == .channels
    configure(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let router = Router(
        configuration: configuration, certificates: certificates, challenges: challenges, wake: wake,
        observer: observer, clock: clock, random: LoopRandom(seed: seed), logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await router.run() }
        let address = try await router.listening().first ?? ""
        let port = Int(address.split(separator: ":").last ?? "") ?? 0
        do {
            try await body(router, port)
        } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}

extension Router {
    /// Routes the host `a` to these origins, named after their place.
    func setOrigins(
        _ origins: [TestOrigin], names: [String]? = nil, maxInFlight: Int? = nil,
        change: (inout ApplicationRoute) -> Void = { _ in }
    ) throws {
        let backends = origins.enumerated().map { index, origin in
            Backend(
                id: BackendID(names?[index] ?? "web.\(index + 1)"),
                address: .ip(host: origin.address.host, port: origin.address.port), maxInFlight: maxInFlight)
        }
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: backends)
        change(&route)
        try self.setRoute(route)
    }
}

/// A port on which nothing listens.
func closedPort() async throws -> Int {
    let origin = try await TestOrigin { _ in .close }
    let port = origin.address.port
    await origin.stop()
    return port
}
