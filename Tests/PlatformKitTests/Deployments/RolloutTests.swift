import PlatformKitTesting
import PlatformWire
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct RolloutTests {
    @Test func `a first deployment is routed to once every instance is ready`() async throws {
        try await withPlatform { host in
            try await host.create()
            let deployment = try await host.deploy(
                "blog", .of("web: run\nworker: work", ["app.json": #"{"formation": {"web": {"quantity": 2}}}"#]))
            #expect(deployment.state == .live)
            #expect(deployment.release == 1)
            let application = try await host.platform.application(named: "blog")
            #expect(application.release == 1)
            #expect(application.formation == ["web": 2, "worker": 0])
            await host.settled(running: ["web.1@v1", "web.2@v1"], routed: ["web.1@v1", "web.2@v1"])
        }
    }

    @Test func `the route switches when all of the new release are ready, in one step`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.scale(["web": 2])
            host.runtime.script { _ in .staysStarting }
            host.runtime.forgetRecords()
            let deployment = Task { try await host.deploy() }
            await host.runtime.wait { $0.id(of: "web.2@v2") != nil }
            let snapshot = host.runtime.snapshot
            host.runtime.makeReady(try #require(snapshot.id(of: "web.1@v2")))
            #expect(host.runtime.snapshot.routed == ["web.1@v1", "web.2@v1"])
            host.runtime.makeReady(try #require(snapshot.id(of: "web.2@v2")))
            _ = try await deployment.value
            await host.settled(running: ["web.1@v2", "web.2@v2"], routed: ["web.1@v2", "web.2@v2"])
            #expect(
                host.runtime.snapshot.records.map(\.description).filter { !$0.hasPrefix("stop") } == [
                    "start web.1@v2", "start web.2@v2", "route [web.1@v2 web.2@v2]", "drain web.1@v1 web.2@v1",
                ])
        }
    }

    @Test func `old instances are stopped after their requests have ended, not before`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.holdDrains(true)
            host.runtime.forgetRecords()
            try await host.deploy()
            await host.runtime.wait { $0.records.contains(.drain(["web.1@v1"])) }
            #expect(host.runtime.snapshot.running == ["web.1@v1", "web.1@v2"])
            host.runtime.holdDrains(false)
            await host.settled(running: ["web.1@v2"], routed: ["web.1@v2"])
            #expect(
                host.runtime.snapshot.records == [
                    .start("web.1@v2"), .route(["web.1@v2"]), .drain(["web.1@v1"]), .stop("web.1@v1"),
                ])
        }
    }

    @Test(arguments: [ScriptedRuntime.Boot.crashes("exit status 3"), .cannotStart("exit status 3")])
    func `a release that does not boot leaves the live one alone`(boot: ScriptedRuntime.Boot) async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.script { $0.number == 2 || $0.release == 2 ? boot : .ready }
            await expect(.refused, "exit status 3") { try await host.deploy() }
            #expect(try await host.live() == 1)
            #expect(try await host.states() == [.live, .failed])
            #expect(try await host.platform.deployment(2, of: "blog").cause?.contains("web.1") == true)
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
            #expect(!host.runtime.snapshot.records.contains(.route(["web.1@v2"])))
            #expect(!host.runtime.snapshot.records.contains(.stop("web.1@v1")))
        }
    }

    @Test func `a worker that ends right after its start fails the rollout`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nworker: work"))
            try await host.scale(["worker": 1])
            host.runtime.script {
                $0.processType == "worker" ? .endsRightAfterStart("exit status 9") : .ready
            }
            await expect(.refused, "worker.1 ended right after its start (exit status 9)") {
                try await host.deploy("blog", .of("web: run\nworker: work"))
            }
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
        }
    }

    @Test func `a worker gets its time to fail, by the clock`() async throws {
        try await withPlatform {
            $0.settleTime = .seconds(5)
        } _: { host in
            try await host.create()
            let deployment = Task { try await host.deploy("blog", .of("worker: work", ["app.json": Self.oneWorker])) }
            await host.runtime.wait { $0.id(of: "worker.1") != nil }
            await host.clock.sleepers(atLeast: 2)
            #expect(try await host.live() == nil)
            host.clock.advance(by: .seconds(5))
            #expect(try await deployment.value.state == .live)
        }
    }

    @Test func `an instance that fails while the others still start fails the rollout`() async throws {
        try await withPlatform {
            $0.settleTime = .seconds(5)
        } _: { host in
            try await host.create()
            try await host.deploy()
            let deployment = Task {
                try await host.deploy("blog", .of("web: run\nworker: work", ["app.json": Self.oneWorker]))
            }
            await host.runtime.wait { $0.id(of: "worker.1@v2") != nil }
            await host.clock.sleepers(atLeast: 2)
            // The web instance was ready, and is not any more when the worker has proved itself.
            host.runtime.crash(try #require(host.runtime.snapshot.id(of: "web.1@v2")), because: "exit status 4")
            host.clock.advance(by: .seconds(5))
            await expect(.refused, "web.1") { _ = try await deployment.value }
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
            #expect(try await host.live() == 1)
        }
    }

    @Test func `a release command runs before anything starts, and stops the release when it fails`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nrelease: migrate"))
            #expect(
                host.runtime.snapshot.records.first { $0 != .route([]) } == .oneOff("release.1@v1"))
            host.runtime.scriptOneOffs { _ in .ends(7, printing: ["cannot", "migrate"]) }
            let output = RecordingOutput()
            await expect(.refused, "the release command failed with exit status 7; v2 was not rolled out") {
                try await host.deploy("blog", .of("web: run\nrelease: migrate"), output: output)
            }
            #expect(output.lines.contains("       migrate"))
            #expect(!host.runtime.snapshot.records.contains(.start("web.1@v2")))
            #expect(try await host.live() == 1)
            #expect(try await host.states() == [.live, .failed])
        }
    }

    @Test func `a build that fails makes no release`() async throws {
        try await withPlatform { host in
            try await host.create()
            await expect(.refused, "the source is broken") {
                try await host.deploy("blog", .of("web: run", ["FAIL": ""]))
            }
            #expect(try await host.platform.releases(of: "blog").isEmpty)
            #expect(try await host.platform.deploymentLog(1, of: "blog").contains("the source is broken"))
        }
    }

    @Test func `a process type that the new release does not have goes`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nworker: work", ["app.json": Self.oneWorker]))
            await host.settled(running: ["web.1@v1", "worker.1@v1"], routed: ["web.1@v1"])
            try await host.deploy("blog", .of("web: run"))
            await host.settled(running: ["web.1@v2"], routed: ["web.1@v2"])
        }
    }

    @Test func `an instance gets the config of its release and what the platform adds`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.set(["COLOUR": "blue"])
            try await host.deploy()
            let request = try #require(host.runtime.snapshot.requests.last)
            #expect(
                request.environment == [
                    "COLOUR": "blue", "SLIPWAY_APP": "blog", "SLIPWAY_RELEASE": "v1", "SLIPWAY_COMMIT": "1a2b3c4d",
                    "SLIPWAY_PROCESS": "web.1",
                ])
            #expect(request.command == .shell("run"))
            #expect(request.needsPort)
        }
    }

    static let oneWorker = #"{"formation": {"worker": {"quantity": 1}}}"#
}
