import PlatformKitTesting
import PlatformWire
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    @Test func `a deployment that builds can be cancelled`() async throws {
        try await withPlatform { host in
            try await host.create()
            let gate = Gate()
            let deployment = Task { try await host.deploy("blog", .held(by: gate)) }
            await gate.arrived()
            _ = try await host.platform.cancelDeployment(1, of: "blog", by: Harness.ada)
            await expect(.cancelled, "cancelled by ada") { _ = try await deployment.value }
            #expect(try await host.states() == [.cancelled])
            await expect(.conflict, "cancelled already") {
                try await host.platform.cancelDeployment(1, of: "blog", by: Harness.ada)
            }
            #expect(try await host.deploy().state == .live)
        }
    }

    @Test func `a deployment that waits for its turn can be cancelled`() async throws {
        try await withPlatform { host in
            try await host.create()
            let gate = Gate()
            let first = Task { try await host.deploy("blog", .held(by: gate)) }
            await gate.arrived()
            let second = Task { try await host.deploy() }
            try await host.queued(2)
            _ = try await host.platform.cancelDeployment(2, of: "blog", by: Harness.ada)
            await expect(.cancelled) { _ = try await second.value }
            gate.open()
            #expect(try await first.value.state == .live)
            #expect(try await host.states() == [.live, .cancelled])
        }
    }

    @Test func `a rollout that is cancelled takes away what it started`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.script { _ in .staysStarting }
            let deployment = Task { try await host.deploy() }
            await host.runtime.wait { $0.id(of: "web.1@v2") != nil }
            _ = try await host.platform.cancelDeployment(2, of: "blog", by: Harness.ada)
            await expect(.cancelled) { _ = try await deployment.value }
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
            #expect(try await host.states() == [.live, .cancelled])
        }
    }

    @Test func `a release command that is cancelled makes nothing live`() async throws {
        try await withPlatform { host in
            try await host.create()
            host.runtime.scriptOneOffs { _ in .hangs(printing: ["migrating"]) }
            let deployment = Task { try await host.deploy("blog", .of("web: run\nrelease: migrate")) }
            await host.runtime.wait { $0.records.contains(.oneOff("release.1@v1")) }
            _ = try await host.platform.cancelDeployment(1, of: "blog", by: Harness.ada)
            await expect(.cancelled, "cancelled by ada") { _ = try await deployment.value }
            #expect(try await host.live() == nil)
        }
    }

    @Test(arguments: ["built in process", "Rolling out", "Starting web.1"])
    func `output that nobody reads any more cancels`(line: String) async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.script { _ in .staysStarting }
            await expect(.cancelled, "went away") {
                try await host.deploy(output: RecordingOutput(goingAwayAt: line))
            }
            #expect(try await host.states() == [.live, .cancelled])
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
        }
    }

    @Test func `a deployment whose task is cancelled is cancelled, not failed`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.script { _ in .staysStarting }
            let task = Task { try await host.deploy() }
            await host.runtime.wait { $0.id(of: "web.1@v2") != nil }
            task.cancel()
            await expect(.cancelled, "went away") { _ = try await task.value }
            #expect(try await host.states() == [.live, .cancelled])
            await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
        }
    }

    @Test func `what was live already when it was cancelled stays so`() async throws {
        try await withPlatform { host in
            try await host.create()
            // Whoever listens goes away with the very last line, after the switch.
            let deployment = try await host.deploy(output: RecordingOutput(goingAwayAt: "is live with"))
            #expect(deployment.state == .live)
            #expect(try await host.live() == 1)
        }
    }

    @Test func `of the deployments that wait, the newest wins`() async throws {
        try await withPlatform { host in
            try await host.create()
            let gate = Gate()
            let first = Task { try await host.deploy("blog", .held(by: gate)) }
            await gate.arrived()
            let second = Task { try await host.deploy() }
            try await host.queued(2)
            let third = Task { try await host.deploy() }
            await expect(.cancelled, "build 3") { _ = try await second.value }
            gate.open()
            #expect(try await first.value.release == 1)
            #expect(try await third.value.release == 2)
            #expect(try await host.states() == [.live, .superseded, .live])
        }
    }

    @Test func `a config change that waits is not superseded by a push`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let gate = Gate()
            let first = Task { try await host.deploy("blog", .held(by: gate)) }
            await gate.arrived()
            let change = Task { try await host.set(["A": "1"]) }
            try await host.queued(3)
            let push = Task { try await host.deploy() }
            try await host.queued(4)
            gate.open()
            _ = try await (first.value, change.value, push.value)
            #expect(try await host.states() == [.live, .live, .live, .live])
            #expect(try await host.platform.config(of: "blog") == ["A": "1"])
        }
    }

    @Test func `a platform that stops cancels what is under way`() async throws {
        let runtime = ScriptedRuntime()
        try await withTemporaryDirectory { directory in
            let host = try Harness(directory, runtime: runtime)
            let gate = Gate()
            let deployment = try await host.running { host in
                try await host.create()
                let task = Task { try await host.deploy("blog", .held(by: gate)) }
                await gate.arrived()
                return task
            }
            await expect(.cancelled, "stopping") { _ = try await deployment.value }
            #expect(!host.platform.isReady)
            await expect(.unavailable) { try await host.deploy() }
        }
    }
}
