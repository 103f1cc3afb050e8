import PlatformKitTesting
import PlatformWire
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct LifeTests {
    private static let procfile = "web: run\nworker: work"
    private static let singleton = #"{"formation": {"worker": {"quantity": 1, "singleton": true}}}"#

    private func source(_ manifest: String) -> DeploymentSource { .of(Self.procfile, ["app.json": manifest]) }

    @Test func `workers with an hour of grace do not hold up the deployments of web`() async throws {
        try await withPlatform { host in
            try await host.create()
            let manifest = #"{"formation": {"worker": {"quantity": 1, "stopGrace": 3600, "stopSignal": "SIGINT"}}}"#
            try await host.deploy("blog", self.source(manifest))
            let first = try #require(host.runtime.snapshot.requests.first { $0.processType == "worker" })
            #expect(first.stopGrace == .seconds(3600) && first.life.stopSignal == 2)
            #expect(host.runtime.snapshot.requests.first { $0.processType == "web" }?.stopGrace == .seconds(30))
            host.runtime.holdStops(of: ["worker"])
            try await host.deploy("blog", self.source(manifest))
            try await host.deploy("blog", self.source(manifest))
            await host.settled(
                running: ["web.1@v3", "worker.1@v1", "worker.1@v2", "worker.1@v3"], routed: ["web.1@v3"])
            host.runtime.holdStops(of: [])
            await host.settled(running: ["web.1@v3", "worker.1@v3"], routed: ["web.1@v3"])
        }
    }

    @Test func `the old instance of a singleton has ended before the new one is started`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", self.source(Self.singleton))
            host.runtime.forgetRecords()
            host.runtime.holdStops(of: ["worker"])
            let deployment = Task { try await host.deploy("blog", self.source(Self.singleton)) }
            await host.runtime.wait { $0.records.contains(.stop("worker.1@v1")) }
            #expect(host.runtime.snapshot.running == ["web.1@v1", "web.1@v2", "worker.1@v1"])
            #expect(host.runtime.snapshot.routed == ["web.1@v1"])
            host.runtime.holdStops(of: [])
            _ = try await deployment.value
            await host.settled(running: ["web.1@v2", "worker.1@v2"], routed: ["web.1@v2"])
        }
    }

    @Test func `a singleton that does not start leaves its place to that of the live release`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", self.source(Self.singleton))
            host.runtime.script { $0.release == 2 && $0.processType == "worker" ? .crashes("no memory") : .ready }
            await expect(.refused, "no memory") { try await host.deploy("blog", self.source(Self.singleton)) }
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
            // One whose other instances fail does not touch it.
            host.runtime.script { $0.release == 3 && $0.processType == "web" ? .crashes("no port") : .ready }
            host.runtime.forgetRecords()
            await expect(.refused, "no port") { try await host.deploy("blog", self.source(Self.singleton)) }
            #expect(!host.runtime.snapshot.records.contains(.stop("worker.1@v1")))
        }
    }

    @Test func `a deployment that waits for a singleton's end can be cancelled`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", self.source(Self.singleton))
            host.runtime.holdStops(of: ["worker"])
            let deployment = Task { try await host.deploy("blog", self.source(Self.singleton)) }
            await host.runtime.wait { $0.records.contains(.stop("worker.1@v1")) }
            deployment.cancel()
            await expect(.cancelled) { try await deployment.value }
            host.runtime.holdStops(of: [])
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
        }
    }

    @Test func `a singleton is restarted and scaled without a second one, and not scaled above one`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", self.source(Self.singleton))
            let old = host.runtime.snapshot.id(of: "worker.1")
            try await host.restart()
            #expect(host.runtime.snapshot.id(of: "worker.1") != old)
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
            host.runtime.holdStops(of: ["worker"])
            try await host.scale(["worker": 0])
            let again = Task { try await host.scale(["worker": 1]) }
            await host.runtime.wait { $0.records.count { $0 == .stop("worker.1@v1") } > 2 }
            host.runtime.holdStops(of: [])
            _ = try await again.value
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
            await expect(.invalid, "worker=2: of worker there is one instance at most") {
                try await host.scale(["worker": 2])
            }
            #expect(try await host.platform.application(named: "blog").formation["worker"] == 1)
        }
    }

    @Test func `a release that makes a type a singleton has one, whatever was wanted before`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", self.source("{}"))
            try await host.scale(["worker": 3])
            try await host.deploy("blog", self.source(Self.singleton))
            await host.settled(running: ["web.1@v2", "worker.1@v2"], routed: ["web.1@v2"])
            #expect(try await host.platform.application(named: "blog").formation["worker"] == 1)
        }
    }

    @Test func `a rollback and a change of config have what the release's own app.json said`() async throws {
        try await withPlatform { host in
            try await host.create()
            let first = #"{"healthchecks": {"web": [{"type": "liveness", "path": "/first", "attempts": 7}]}}"#
            try await host.deploy("blog", self.source(first))
            try await host.deploy("blog", self.source("{}"))
            #expect(host.runtime.snapshot.requests.last?.life.liveness == nil)
            try await host.rollback(to: 1)
            try await host.set(["A": "b"])
            let (three, four) = (try self.web(3, host), try self.web(4, host))
            #expect(three.life == four.life)
            #expect(three.life.liveness == CheckRecord(.http(path: "/first", headers: [:], content: nil), attempts: 7))
            #expect(three.life.readiness == CheckRecord(.listening), "web is asked in any case")
        }
    }

    private func web(_ release: Int, _ host: Harness) throws -> WorkloadRequest {
        try #require(host.runtime.snapshot.requests.first { $0.release == release && $0.processType == "web" })
    }
}
