import PlatformKitTesting
import PlatformWire
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct HoldingTests {
    private func route(_ host: Harness) async throws -> WorkloadRoute? {
        host.runtime.snapshot.routes[try await host.platform.find("blog").id]
    }

    @Test func `requests wait while an application that should run has no instance, for a time`() async throws {
        try await withPlatform { host in
            try await host.create()
            #expect(try await self.route(host)?.hold == nil)
            try await host.deploy()
            #expect(try await self.route(host)?.hold == .seconds(30))
            let id = try #require(host.runtime.snapshot.instances.keys.first)
            host.runtime.crash(id)
            await host.settled(running: ["web.1@v1"], routed: [])
            #expect(try await self.route(host)?.hold == .seconds(30))
            // One that measures instances, one that ends the wait.
            await host.clock.sleepers(atLeast: 2)
            host.clock.advance(by: .seconds(30))
            await host.runtime.wait { $0.routes.values.allSatisfy { $0.hold == nil } }
            host.runtime.makeReady(id)
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
            #expect(try await self.route(host)?.hold == .seconds(30))
        }
    }

    @Test func `nothing waits for what is not to run`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nworker: run"))
            try await host.scale(["web": 0, "worker": 1])
            #expect(try await self.route(host)?.hold == nil)
            try await host.scale(["web": 1])
            #expect(try await self.route(host)?.hold == .seconds(30))
        }
        try await withPlatform {
            $0.startHold = .zero
        } _: { host in
            try await host.create()
            try await host.deploy()
            #expect(try await self.route(host)?.hold == nil)
        }
    }

    @Test func `an instance that was started again is routed to anew, wherever it is now`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let id = try #require(host.runtime.snapshot.instances.keys.first)
            host.runtime.forgetRecords()
            // Both before the platform has looked: it must not take it for the same process at the same port.
            host.runtime.crash(id)
            host.runtime.makeReady(id)
            await host.runtime.wait { $0.records.last == .route(["web.1@v1"]) }
        }
    }
}
