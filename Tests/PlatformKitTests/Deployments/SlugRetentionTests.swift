import PlatformKitTesting
import PlatformWire
import SlugStore
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite struct SlugRetentionTests {
    private func slug(_ version: Int, _ host: Harness, of name: String = "blog") async throws -> SlugID {
        try #require(SlugID(try await host.platform.release(version, of: name).slug))
    }

    /// Returns when just these are in the store.
    private func kept(_ slugs: Set<SlugID>, _ host: Harness) async throws {
        while try await Set(host.slugs.list().map(\.id)) != slugs { await Task.yield() }
    }

    @Test func `the slugs of old releases go and their releases say so`() async throws {
        try await withPlatform {
            $0.slugRetention = RetentionPolicy(keepLast: 2)
        } _: { host in
            try await host.create()
            for number in 1...4 { try await host.deploy("blog", .of("web: run \(number)")) }
            try await self.kept([self.slug(3, host), self.slug(4, host)], host)
            let error = await #expect(throws: PlatformError.self) { try await host.rollback(to: 1) }
            #expect(error?.code == .conflict)
            #expect(error?.message.contains("the slug of v1 was removed") == true)
            #expect(try await host.platform.releases(of: "blog").map(\.version) == [4, 3, 2, 1])
            #expect(try await host.rollback().description == "Rollback to v3")
            // Config alone makes releases of the same slug.
            try await host.set(["A": "1"])
            try await host.set(["A": "2"])
            try await self.kept([self.slug(3, host), self.slug(4, host)], host)
        }
    }

    @Test func `what is live, or live elsewhere, stays whatever the limits say`() async throws {
        try await withPlatform {
            $0.slugRetention = RetentionPolicy(maxBytes: 0)
        } _: { host in
            try await host.create()
            try await host.create("shop")
            try await host.deploy("blog", .of("web: run 1"))
            try await host.deploy("shop", .of("web: run 1"))
            for number in 2...4 { try await host.deploy("blog", .of("web: run \(number)")) }
            let shared = try await self.slug(1, host, of: "shop")
            #expect(try await self.slug(1, host) == shared)
            try await self.kept([shared, self.slug(3, host), self.slug(4, host)], host)
        }
    }

    @Test func `a row of failures leaves something to go back to`() async throws {
        try await withPlatform {
            $0.slugRetention = RetentionPolicy(keepLast: 1)
        } _: { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run 1"))
            host.runtime.script { _ in .crashes("exit status 1") }
            for number in 2...4 { _ = try? await host.deploy("blog", .of("web: run \(number)")) }
            host.runtime.script { _ in .ready }
            try await host.deploy("blog", .of("web: run 5"))
            try await self.kept([self.slug(1, host), self.slug(5, host)], host)
            #expect(try await host.rollback().description == "Rollback to v1")
        }
    }

    @Test func `a pinned release stays to go back to until it is unpinned`() async throws {
        try await withPlatform {
            $0.slugRetention = RetentionPolicy(keepLast: 1)
            $0.maxPinsPerApplication = 2
        } _: { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run 1"))
            let pinned = try await host.platform.setPin(true, of: 1, of: "blog", by: Harness.ada)
            #expect(pinned.isPinned)
            for number in 2...4 { try await host.deploy("blog", .of("web: run \(number)")) }
            try await self.kept([self.slug(1, host), self.slug(3, host), self.slug(4, host)], host)
            #expect(try await host.platform.releases(of: "blog").map(\.isPinned) == [false, false, false, true])
            #expect(try await host.rollback(to: 1).description == "Rollback to v1")

            let gone = await #expect(throws: PlatformError.self) {
                try await host.platform.setPin(true, of: 2, of: "blog", by: Harness.ada)
            }
            #expect(gone?.code == .conflict)
            #expect(try await host.platform.release(2, of: "blog").isPinned == false)
            let unknown = await #expect(throws: PlatformError.self) {
                try await host.platform.setPin(true, of: 20, of: "blog", by: Harness.ada)
            }
            #expect(unknown?.code == .notFound)
            _ = try await host.platform.setPin(true, of: 4, of: "blog", by: Harness.ada)
            let full = await #expect(throws: PlatformError.self) {
                try await host.platform.setPin(true, of: 5, of: "blog", by: Harness.ada)
            }
            #expect(full?.code == .limit)

            _ = try await host.platform.setPin(false, of: 1, of: "blog", by: Harness.ada)
            _ = try await host.platform.setPin(false, of: 4, of: "blog", by: Harness.ada)
            for number in 6...7 { try await host.deploy("blog", .of("web: run \(number)")) }
            try await self.kept([self.slug(6, host), self.slug(7, host)], host)
        }
    }

    @Test func `what no release has goes when it is asked for, but not what a deployment is under way with`()
        async throws
    {
        try await withPlatform { _ in
        } _: { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run 1"))
            // Stored by nobody that is known here, and, of the same tree as the next deployment, before that is made of it.
            let stray = try await withTemporaryDirectory { try await host.slugs.put($0, metadata: SlugMetadata()).id }
            let key = SlugHolder.deployment(.init(applicationID: "somebody's", number: 1))
            #expect(try await host.platform.claim(stray, for: key))
            #expect(try await host.platform.collectSlugGarbage(by: Harness.ada).slugs == 0)
            #expect(try await host.platform.slugsInUse() == [stray, self.slug(1, host)])
            #expect(host.platform.release(key) == stray)
            #expect(try await host.platform.collectSlugGarbage(by: Harness.ada).slugs == 1)
            try await self.kept([self.slug(1, host)], host)
            // Who comes too late is told.
            #expect(try await host.platform.claim(stray, for: key) == false)
            #expect(try await host.platform.slugsInUse() == [self.slug(1, host)])
        }
    }

    @Test func `what is being removed cannot be pinned`() async throws {
        try await withPlatform { _ in
        } _: { host in
            try await host.create()
            for number in 1...2 { try await host.deploy("blog", .of("web: run \(number)")) }
            let (platform, slug) = (host.platform, try await self.slug(1, host))
            let (begun, begin) = AsyncStream<Never>.makeStream()
            async let removal: Void = platform.slugRemovals.withTurn {
                begin.finish()
                // It was chosen; now somebody pins it.
                while platform.slugRemovals.waitingCount == 0 { await Task.yield() }
                try await host.slugs.remove(slug)
            }
            for await _ in begun {}
            let error = await #expect(throws: PlatformError.self) {
                try await platform.setPin(true, of: 1, of: "blog", by: Harness.ada)
            }
            #expect(error?.code == .conflict)
            try await removal
            #expect(try await platform.release(1, of: "blog").isPinned == false)
        }
    }

    @Test func `what failed is let go of, also before anything was live`() async throws {
        try await withPlatform {
            $0.slugRetention = RetentionPolicy(keepLast: 2)
        } _: { host in
            try await host.create()
            host.runtime.script { _ in .crashes("exit status 1") }
            for number in 1...4 { _ = try? await host.deploy("blog", .of("web: run \(number)")) }
            try await self.kept([self.slug(3, host), self.slug(4, host)], host)
            host.runtime.script { _ in .ready }
            try await host.deploy("blog", .of("web: run 5"))
            try await self.kept([self.slug(4, host), self.slug(5, host)], host)
        }
    }

    @Test func `slugs are listed with their releases, compared, checked and packed`() async throws {
        try await withPlatform { _ in
        } _: { host in
            try await host.create()
            try await host.create("shop")
            try await host.deploy("blog", .of("web: run", ["a": "1", "b": "2"]))
            try await host.deploy("blog", .of("web: run", ["a": "11", "c": "3"]))
            try await host.deploy("shop", .of("web: run", ["a": "1", "b": "2"]))
            let slugs = try await host.platform.storedSlugs()
            #expect(
                slugs.map(\.uses) == [
                    [
                        .init(application: "blog", release: 1, isLive: false, isPinned: false),
                        .init(application: "shop", release: 1, isLive: true, isPinned: false),
                    ], [.init(application: "blog", release: 2, isLive: true, isPinned: false)],
                ])
            let difference = try await host.platform.slugDifference(from: nil, to: 2, of: "blog", limit: 2)
            #expect((difference.added, difference.removed, difference.changed) == (1, 1, 1))
            #expect(
                difference.entries == [
                    .init(change: .changed, path: "a", oldBytes: 1, newBytes: 2),
                    .init(change: .removed, path: "b", oldBytes: 1, newBytes: nil),
                ])
            let back = try await host.platform.slugDifference(from: 2, to: 1, of: "blog", limit: 10)
            #expect(back.entries.map(\.change) == [.changed, .added, .removed])
            let first = await #expect(throws: PlatformError.self) {
                try await host.platform.slugDifference(from: nil, to: 1, of: "blog", limit: 2)
            }
            #expect(first?.code == .invalid)

            let check = try await host.platform.checkSlugs(share: 1, by: Harness.ada, output: SilentOutput())
            #expect(check.slugs == 2)
            #expect(check.damages.isEmpty)
            let none = await #expect(throws: PlatformError.self) {
                try await host.platform.checkSlugs(share: 0, by: Harness.ada, output: SilentOutput())
            }
            #expect(none?.code == .invalid)

            var archive: [UInt8] = []
            do {
                let files = try await host.platform.archive(of: 1, of: "blog", compression: .none)
                #expect(try await host.platform.slugsInUse().contains(self.slug(1, host)))
                for try await bytes in files { archive += bytes }
            }
            #expect(host.platform.slugClaims.isEmpty)
            #expect(archive.count.isMultiple(of: 512))
            #expect(String(decoding: archive.prefix(100), as: UTF8.self).hasPrefix("Procfile"))
        }
    }

    @Test func `slugs are signed where there is a key`() async throws {
        let signer = SlugSigner()
        try await withPlatform {
            $0.slugSigner = signer
        } _: { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run"))
            let id = try await self.slug(1, host)
            #expect(try await host.slugs.signatures(of: id).map(\.publicKey) == [signer.publicKey])
        }
    }
}
