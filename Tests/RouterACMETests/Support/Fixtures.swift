import Foundation
import Logging
import RouterCore
import Synchronization
import TestSupport

@testable import RouterACME

/// Keeps what a manager keeps, in memory.
final class MemoryACMEStorage: ACMEStorage {
    struct Failure: Error {}
    let files = Mutex<[String: [UInt8]]>([:])
    let failsToWrite = Atomic(false)

    func read(_ name: String) async throws -> [UInt8]? { self.files.withLock { $0[name] } }

    func write(_ name: String, _ bytes: [UInt8]) async throws {
        if self.failsToWrite.load(ordering: .relaxed) { throw Failure() }
        self.files.withLock { $0[name] = bytes }
    }

    func remove(_ name: String) async throws { self.files.withLock { $0[name] = nil } }

    func names(in first: String) async throws -> [String] {
        self.files.withLock {
            $0.keys.filter { $0.hasPrefix(first + "/") }.map { String($0.dropFirst(first.count + 1)) }
        }
    }
}

/// A manager with everything around it under the test's control.
struct ManagedHosts {
    let clock = ManualClock()
    let certificates = CertificateStore()
    let challenges = ACMEChallenges()
    let storage: MemoryACMEStorage
    let authority: FakeAuthority
    let manager: ACMEManager
    let now: @Sendable () -> Date

    static let start = Date(timeIntervalSince1970: 1_800_000_000)

    init(
        storage: MemoryACMEStorage = MemoryACMEStorage(), from start: Date = Self.start, policy: HostPolicy? = nil,
        _ rules: FakeAuthority.Rules = .init(), _ change: (inout ACMEManager.Configuration) -> Void = { _ in }
    ) {
        let clock = self.clock
        self.now = { start.addingTimeInterval(Double(clock.now.offset.components.seconds)) }
        self.storage = storage
        self.authority = FakeAuthority(challenges: self.challenges, rules: rules, now: self.now)
        var configuration = ACMEManager.Configuration(directory: FakeAuthority.directory, termsOfServiceAgreed: true)
        change(&configuration)
        self.manager = ACMEManager(
            configuration: configuration, certificates: self.certificates, challenges: self.challenges,
            storage: storage, transport: self.authority, policy: policy, clock: clock, now: self.now,
            chance: { 0.5 }, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Runs the manager while `body` runs.
    func running<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.manager.run() }
            let result = try await body()
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    func status(_ host: String) -> ACMEHostStatus? { self.manager.status.first { $0.host == host } }

    /// Moves the clock in steps, whenever everything that is going on waits for it, until it is as described.
    func advance(by step: Duration = .seconds(1), until condition: @Sendable () -> Bool) async {
        while !condition() {
            let jobs = self.manager.state.withLock { $0.table.jobs.count }
            // One more sleeps: the manager itself.
            if self.clock.sleeperCount > jobs { self.clock.advance(by: step) }
            for _ in 0..<10 { await Task.yield() }
        }
    }
}
