import PlatformKitTesting
import PlatformWire
import SlugStore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

/// What removes slugs, beside what needs them.
@Suite(.timeLimit(.minutes(1))) struct SlugRemovalTests {
    private func stray(_ text: String, in slugs: some SlugRepository) async throws -> SlugID {
        try await withTemporaryDirectory {
            try await slugs.put($0, metadata: SlugMetadata(processTypes: [:], buildpacks: [], labels: ["is": text])).id
        }
    }

    @Test func `nobody waits while somebody looks at a store that is far away`() async throws {
        try await withTemporaryDirectory { directory in
            let host = try Harness(directory, far: true)
            let far = try #require(host.platform.slugs as? FarSlugs)
            try await host.running { host in
                while far.lists == 0 { await Task.yield() }
                try await host.create()
                for number in 1...2 { try await host.deploy("blog", .of("web: run \(number)")) }
                let former = try #require(SlugID(try await host.platform.release(1, of: "blog").slug))
                while host.platform.state.withLock({ !$0.tidying.isEmpty }) { await Task.yield() }
                let lists = far.lists
                let (distant, near) = (
                    try await self.stray("distant", in: host.slugs), try await self.stray("near", in: host.slugs)
                )
                func holder(_ number: Int) -> SlugHolder { .deployment(.init(applicationID: "id", number: number)) }
                far.hang(true, at: [distant, former])
                let looking = Task { try await host.platform.claim(distant, for: holder(1)) }
                let collecting = Task { try await host.platform.collectSlugGarbage(by: Harness.ada) }
                let pinning = Task { try await host.platform.setPin(true, of: 1, of: "blog", by: Harness.ada) }
                while far.lists == lists || !host.platform.slugClaims.isSuperset(of: [distant, former]) {
                    await Task.yield()
                }
                #expect(try await host.platform.claim(near, for: holder(2)))
                far.hang(false)
                #expect(try await looking.value)
                #expect(try await pinning.value.isPinned)
                #expect(try await collecting.value.slugs == 0)
                // Of one that is gone nothing stays claimed.
                host.platform.release(holder(1))
                #expect(try await host.platform.collectSlugGarbage(by: Harness.ada).slugs == 1)
                #expect(try await host.platform.claim(distant, for: holder(1)) == false)
                #expect(host.platform.slugClaims == [near])
            }
        }
    }

    @Test func `more than are removed in one turn are removed`() async throws {
        try await withPlatform { _ in
        } _: { host in
            try await host.create()
            try await host.deploy()
            for number in 1...11 { _ = try await self.stray("\(number)", in: host.slugs) }
            #expect(try await host.platform.collectSlugGarbage(by: Harness.ada).slugs == 11)
            #expect(try await host.slugs.list().count == 1)
        }
    }

    @Test func `after failures one job tidies up, and none when nothing was stored`() async throws {
        try await withTemporaryDirectory { directory in
            let runtime = ScriptedRuntime(boot: { _ in .crashes("exit status 1") })
            let host = try Harness(directory, runtime: runtime, far: true) {
                $0.slugRetention = RetentionPolicy(keepLast: 2)
            }
            let far = try #require(host.platform.slugs as? FarSlugs)
            try await host.running { host in
                try await host.create()
                while far.lists < 1 { await Task.yield() }
                far.hang(true)
                _ = try? await host.deploy("blog", .of("web: run 1"))
                while far.lists < 2 { await Task.yield() }
                for number in 2...5 { _ = try? await host.deploy("blog", .of("web: run \(number)")) }
                far.hang(false)
                while host.platform.state.withLock({ !$0.tidying.isEmpty }) { await Task.yield() }
                #expect(far.lists == 3)
                #expect(try await host.slugs.list().count == 2)
                _ = try? await host.deploy("blog", .of("web: run", ["FAIL": ""]))
                #expect(host.platform.state.withLock { $0.tidying.isEmpty })
            }
        }
    }

    @Test func `what a stop left between a slug and its release goes at the next start`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            let first = try Harness(directory, store: store)
            try await first.running { host in
                try await host.create()
                try await host.deploy()
            }
            let live = try #require(try await first.slugs.list().first?.id)
            let left = try await self.stray("left", in: first.slugs)
            // Of a store that is shared, nobody knows here who needs it.
            let far = try Harness(directory, store: store, far: true) { $0.slugRetention = RetentionPolicy() }
            try await far.running { _ in }
            #expect(try await Set(far.slugs.list().map(\.id)) == [live, left])
            try await Harness(directory, store: store).running { host in
                while try await host.slugs.list().map(\.id) != [live] { await Task.yield() }
            }
        }
    }
}
