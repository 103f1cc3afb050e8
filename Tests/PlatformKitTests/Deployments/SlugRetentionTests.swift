import PlatformKitTesting
import PlatformWire
import SlugStore
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
