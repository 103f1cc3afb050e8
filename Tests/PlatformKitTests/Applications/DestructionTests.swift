import GitReceiver
import PlatformKitTesting
import PlatformWire
import SlugStore
import Synchronization
import TestSupport
import Testing

@testable import PlatformKit

/// What comes between the wish to destroy an application and its end.
@Suite(.timeLimit(.minutes(1))) struct DestructionTests {
    /// Runs `body` while the destruction of `blog` waits for a one-off, which then ends.
    private func whileDeparting(_ host: Harness, _ body: () async throws -> Void) async throws {
        let (oneOff, read) = await host.heldOneOff()
        let sleepers = host.clock.sleeperCount
        let destruction = Task { try await host.platform.destroyApplication("blog", by: Harness.ada) }
        await host.clock.sleepers(atLeast: sleepers + 1)
        try await body()
        read.finish()
        _ = try? await oneOff.value
        try await destruction.value
    }

    @Test func `an application that is being destroyed is not renamed, and what has its name then is its own`()
        async throws
    {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await self.whileDeparting(host) {
                await expect(.conflict, "being renamed or destroyed") {
                    try await host.platform.renameApplication("blog", to: "log", by: Harness.ada)
                }
                await expect(.conflict) { try await host.create() }
            }
            try await host.create()
            #expect(host.platform.gitServer.repositoryExists("blog"))
        }
    }

    @Test func `a name is nobody's while the repository of that name is moved or removed`() async throws {
        try await withPlatform { host in
            try await host.create()
            host.platform.state.withLock { $0.renaming["log"] = "another" }
            await expect(.conflict, "try again in a moment") { try await host.create("log") }
            await expect(.conflict, "try again in a moment") {
                try await host.platform.renameApplication("blog", to: "log", by: Harness.ada)
            }
            #expect(try await host.platform.applications().map(\.name) == ["blog"])
            #expect(host.platform.gitServer.repositoryExists("blog"))
            // One whose repository is on its way is neither destroyed nor renamed again.
            let id = try await host.platform.find("blog").id
            host.platform.state.withLock { $0.renaming = ["former": id] }
            await expect(.conflict) { try await host.platform.destroyApplication("blog", by: Harness.ada) }
            await expect(.conflict) {
                try await host.platform.renameApplication("blog", to: "log", by: Harness.ada)
            }
            host.platform.state.withLock { $0.renaming = [:] }
            try await host.platform.destroyApplication("blog", by: Harness.ada)
            #expect(host.platform.state.withLock { $0.renaming.isEmpty })
        }
    }

    @Test func `nothing is begun that its destruction would wait for`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.forgetRecords()
            try await self.whileDeparting(host) {
                // Its source never comes.
                await expect(.cancelled, "the application is destroyed") {
                    try await host.deploy("blog", .held(by: Gate()))
                }
                await expect(.notFound, "blog is being destroyed") { try await host.restart() }
                await expect(.notFound, "blog is being destroyed") { try await host.scale(["web": 2]) }
            }
            #expect(!host.runtime.snapshot.records.contains { "\($0)".hasPrefix("start") })
        }
    }

    @Test func `it is destroyed to the end when whoever asked has gone`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.holdStops(of: ["web"])
            let destruction = Task { try await host.platform.destroyApplication("blog", by: Harness.ada) }
            await host.runtime.wait { $0.instances.values.contains { $0.phase == .stopping } }
            destruction.cancel()
            host.runtime.holdStops(of: [])
            try await destruction.value
            #expect(!host.platform.gitServer.repositoryExists("blog"))
            while try await !host.slugs.list().isEmpty { await Task.yield() }
        }
    }
}
