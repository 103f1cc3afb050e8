import PlatformKitTesting
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct StartRetryTests {
    @Test func `each try comes later than the last, to a minute, and one at a time`() {
        var retry = StartRetry()
        var delays: [Duration] = []
        for _ in 1...8 {
            if let delay = retry.step(hasFailed: true) { delays.append(delay) }
            #expect(retry.step(hasFailed: true) == nil)
            retry.end()
        }
        #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(retry.step(hasFailed: false) == nil)
        #expect(retry.step(hasFailed: true) == .seconds(1))
    }

    @Test func `a live release that could not be started runs when what was in the way is gone`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                try await host.create()
                try await host.deploy()
            }
            let runtime = ScriptedRuntime(boot: { _ in .cannotStart("a directory is gone") })
            try await Harness(directory, runtime: runtime, store: store).running { host in
                #expect(runtime.snapshot.running.isEmpty)
                let tries = runtime.snapshot.requests.count
                while runtime.snapshot.requests.count < tries + 2 {
                    host.clock.advance(by: .seconds(1))
                    await Task.yield()
                }
                runtime.script { _ in .ready }
                while runtime.snapshot.routed != ["web.1@v1"] {
                    host.clock.advance(by: .seconds(1))
                    await Task.yield()
                }
            }
            #expect(runtime.snapshot.violations.isEmpty)
        }
    }

    @Test func `a release that failed and is not live is not tried again`() async throws {
        try await withPlatform { host in
            try await host.create()
            host.runtime.script { _ in .cannotStart("a directory is gone") }
            let sleepers = host.clock.sleeperCount
            await expect(.refused, "a directory is gone") { try await host.deploy() }
            #expect(host.clock.sleeperCount == sleepers)
        }
    }
}
