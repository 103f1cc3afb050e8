import PlatformKitTesting
import PlatformWire
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct FormationTests {
    @Test func `scaling up routes to the new ones, scaling down drains them first`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.scale(["web": 3])
            await host.settled(
                running: ["web.1@v1", "web.2@v1", "web.3@v1"], routed: ["web.1@v1", "web.2@v1", "web.3@v1"])
            host.runtime.forgetRecords()
            try await host.scale(["web": 1])
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
            #expect(
                host.runtime.snapshot.records.prefix(2) == [.route(["web.1@v1"]), .drain(["web.2@v1", "web.3@v1"])])
            try await host.scale(["web": 0])
            await host.settled(running: [], routed: [])
        }
    }

    @Test(arguments: [ScriptedRuntime.Boot.crashes("no memory"), .cannotStart("no memory")])
    func `scaling that fails leaves the numbers as they were`(boot: ScriptedRuntime.Boot) async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.script { _ in boot }
            await expect(.refused, "no memory") { try await host.scale(["web": 2]) }
            #expect(try await host.platform.application(named: "blog").formation == ["web": 1])
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
        }
    }

    @Test func `scaling up again while the old instance still drains starts another one`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.scale(["web": 2])
            let old = try #require(host.runtime.snapshot.id(of: "web.2"))
            host.runtime.holdDrains(true)
            try await host.scale(["web": 1])
            await host.runtime.wait { $0.letGo.contains(old) }
            try await host.scale(["web": 2])
            #expect(host.runtime.snapshot.routed == ["web.1@v1", "web.2@v1"])
            #expect(host.runtime.snapshot.id(of: "web.2") != old)
            host.runtime.holdDrains(false)
            await host.settled(running: ["web.1@v1", "web.2@v1"], routed: ["web.1@v1", "web.2@v1"])
            #expect(host.runtime.snapshot.instances[old] == nil)
        }
    }

    @Test func `scaling is refused when it makes no sense`() async throws {
        try await withPlatform {
            $0.maxInstancesPerType = 3
        } _: { host in
            try await host.create()
            await expect(.conflict, "no release yet") { try await host.scale(["web": 1]) }
            try await host.deploy()
            await expect(.invalid, "no process type clock; it has: web") { try await host.scale(["clock": 1]) }
            await expect(.limit) { try await host.scale(["web": 4]) }
            await expect(.limit) { try await host.scale(["web": -1]) }
            await expect(.notFound) { try await host.scale(["web": 1], of: "nobody") }
        }
    }

    @Test func `the numbers survive a deployment`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.scale(["web": 2])
            try await host.deploy()
            await host.settled(running: ["web.1@v2", "web.2@v2"], routed: ["web.1@v2", "web.2@v2"])
        }
    }

    // MARK: Restart

    @Test func `a restart keeps the old instance until the new one is ready`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let old = try #require(host.runtime.snapshot.id(of: "web.1"))
            host.runtime.script { _ in .staysStarting }
            let restart = Task { try await host.restart() }
            await host.runtime.wait { $0.instances.count == 2 }
            let new = try #require(host.runtime.snapshot.id(of: "web.1"))
            #expect(host.runtime.snapshot.routes.values.first?.instances == [old])
            host.runtime.makeReady(new)
            try await restart.value
            await host.runtime.wait { $0.instances.count == 1 }
            #expect(host.runtime.snapshot.routes.values.first?.instances == [new])
        }
    }

    @Test(arguments: [ScriptedRuntime.Boot.crashes("no"), .cannotStart("no")])
    func `a restart that fails keeps the old instance`(boot: ScriptedRuntime.Boot) async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let old = try #require(host.runtime.snapshot.id(of: "web.1"))
            host.runtime.script { _ in boot }
            await expect(.refused, "no") { try await host.restart("web.1") }
            await host.runtime.wait { $0.instances.count == 1 }
            #expect(host.runtime.snapshot.instances[old]?.phase == .ready)
            #expect(host.runtime.snapshot.routes.values.first?.instances == [old])
        }
    }

    @Test func `a restart touches what it names only`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nworker: work"))
            try await host.scale(["web": 2, "worker": 1])
            host.runtime.forgetRecords()
            try await host.restart("worker")
            try await host.restart("web.2")
            #expect(
                host.runtime.snapshot.records.filter { "\($0)".hasPrefix("start") } == [
                    .start("worker.1@v1"), .start("web.2@v1"),
                ])
            await expect(.notFound, "blog runs no clock") { try await host.restart("clock") }
            await expect(.notFound) { try await host.restart("web.3") }
        }
    }

    // MARK: Crashes

    @Test func `an instance that crashes gets no requests until it is back`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.scale(["web": 2])
            let id = try #require(host.runtime.snapshot.id(of: "web.2"))
            host.runtime.crash(id)
            await host.settled(running: ["web.1@v1", "web.2@v1"], routed: ["web.1@v1"])
            host.runtime.makeReady(id)
            await host.settled(running: ["web.1@v1", "web.2@v1"], routed: ["web.1@v1", "web.2@v1"])
            host.runtime.makeUnready(id)
            await host.settled(running: ["web.1@v1", "web.2@v1"], routed: ["web.1@v1"])
            let shown = try await host.platform.instances(of: "blog")
            #expect(shown.map(\.isRouted) == [true, false])
            #expect(shown.map(\.state) == ["ready", "unready"])
            #expect(shown.map(\.restarts) == [0, 1])
        }
    }

    @Test func `stopping one instance leaves its start to the runtime`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.platform.stopInstance("web.1", of: "blog", by: Harness.ada)
            #expect(host.runtime.snapshot.records.contains(.restart("web.1@v1")))
            await expect(.notFound) { try await host.platform.stopInstance("web.2", of: "blog", by: Harness.ada) }
        }
    }
}
