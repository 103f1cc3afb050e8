import MetricsCore
import PlatformKitTesting
import PlatformWire
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct ReleaseTests {
    // MARK: Config

    @Test func `config before the first deployment is kept, and makes no release`() async throws {
        try await withPlatform { host in
            try await host.create()
            #expect(try await host.set(["A": "1", "B": "2"]) == nil)
            #expect(try await host.set(["B": nil]) == nil)
            #expect(try await host.platform.config(of: "blog") == ["A": "1"])
            #expect(try await host.platform.releases(of: "blog").isEmpty)
        }
    }

    @Test func `config that is set while the first deployment builds is not lost`() async throws {
        try await withPlatform { host in
            try await host.create()
            // By then the deployment has read the config.
            host.runtime.script { _ in .staysStarting }
            let deployment = Task { try await host.deploy() }
            await host.runtime.wait { $0.id(of: "web.1") != nil }
            let change = Task { try await host.set(["A": "1"]) }
            try await host.waiting(1)
            host.runtime.script { _ in .ready }
            host.runtime.makeReady(try #require(host.runtime.snapshot.id(of: "web.1")))
            _ = try await (deployment.value, change.value)
            #expect(try await host.platform.config(of: "blog") == ["A": "1"])
        }
    }

    @Test func `a config change is a release of the same slug`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            let release = try #require(try await host.set(["A": "1", "B": "2"]))
            #expect(release.version == 2)
            #expect(release.description == "Set config A, B")
            #expect(release.configKeys == ["A", "B"])
            #expect(release.isLive)
            let first = try await host.platform.release(1, of: "blog")
            #expect(release.slug == first.slug)
            #expect(try await host.set(["A": nil])?.description == "Unset config A")
            #expect(try await host.platform.config(of: "blog") == ["B": "2"])
            #expect(host.runtime.snapshot.requests.last?.environment["B"] == "2")
        }
    }

    @Test func `a change that changes nothing makes no release`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.set(["A": "1"])
            #expect(try await host.set(["A": "1", "MISSING": nil]) == nil)
            #expect(try await host.platform.releases(of: "blog").count == 2)
        }
    }

    @Test func `a config change that fails leaves the config as it was`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.set(["A": "1"])
            try await host.deploy()
            host.runtime.script { _ in .crashes("exit status 1") }
            await expect(.refused) { try await host.set(["A": "2"]) }
            #expect(try await host.platform.config(of: "blog") == ["A": "1"])
            #expect(try await host.live() == 1)
            host.runtime.script { _ in .ready }
            try await host.deploy()
            #expect(host.runtime.snapshot.requests.last?.environment["A"] == "1")
        }
    }

    @Test func `a secret is kept out of the log before, while and after a change of it fails`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.set(["API_TOKEN": "first-secret"])
            try await host.deploy()
            host.runtime.script { _ in .crashes("exit status 1") }
            await expect(.refused) { try await host.set(["API_TOKEN": "second-secret"]) }
            let id = try await host.platform.find("blog").id
            host.platform.append(["I use first-secret"], process: "web.1", to: id)
            let lines = try await host.platform.recentLogs(of: "blog", limit: 100, sources: nil, process: nil)
            #expect(!lines.contains { $0.text.contains("first-secret") })
        }
    }

    @Test func `a secret that app_json makes up is kept out of the log`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy(
                "blog", .of("web: run", ["app.json": #"{"env": {"SECRET_KEY": {"generator": "secret"}}}"#]))
            let secret = try #require(try await host.platform.config(of: "blog")["SECRET_KEY"])
            #expect(secret.count == 64)
            let id = try await host.platform.find("blog").id
            host.platform.append(["my key is \(secret)"], process: "web.1", to: id)
            let lines = try await host.platform.recentLogs(of: "blog", limit: 100, sources: nil, process: nil)
            #expect(!lines.contains { $0.text.contains(secret) })
        }
    }

    // MARK: Rollback

    @Test func `a rollback takes slug and config of the release that was live before`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.set(["A": "1"])
            try await host.deploy("blog", .of("web: first\nrelease: migrate"))
            try await host.deploy("blog", .of("web: second"))
            try await host.set(["A": "2"])
            host.runtime.forgetRecords()
            let release = try await host.rollback(to: 1)
            #expect(release.version == 4)
            #expect(release.description == "Rollback to v1")
            let request = try #require(host.runtime.snapshot.requests.last)
            #expect(request.command == .shell("first"))
            #expect(request.environment["A"] == "1")
            #expect(try await host.platform.config(of: "blog") == ["A": "1"])
            // No release command: the rollback may be what saves the day.
            #expect(!host.runtime.snapshot.records.contains { "\($0)".hasPrefix("run ") })
        }
    }

    @Test func `a rollback without a version skips releases that were never live`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: first"))
            host.runtime.script { _ in .crashes("exit status 1") }
            await expect(.refused) { try await host.deploy("blog", .of("web: broken")) }
            host.runtime.script { _ in .ready }
            try await host.deploy("blog", .of("web: third"))
            let release = try await host.rollback()
            #expect(release.description == "Rollback to v1")
            #expect(release.version == 4)
        }
    }

    @Test func `says when there is nothing to roll back to`() async throws {
        try await withPlatform { host in
            try await host.create()
            await expect(.conflict, "no release yet") { try await host.rollback() }
            try await host.deploy()
            await expect(.conflict, "first release") { try await host.rollback() }
            await expect(.notFound, "v9") { try await host.rollback(to: 9) }
            #expect(try await host.platform.deployments(of: "blog").count == 1)
        }
    }

    @Test func `a rollback that fails leaves the live release`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            try await host.deploy()
            host.runtime.script { _ in .crashes("exit status 1") }
            await expect(.refused) { try await host.rollback() }
            #expect(try await host.live() == 2)
            await host.settled(running: ["web.1@v2"], routed: ["web.1@v2"])
        }
    }

    // MARK: What was asked for while the application changed its name

    @Test func `a deployment follows an application that is renamed while it waits`() async throws {
        try await withPlatform { host in
            try await host.create()
            let gate = Gate()
            let first = Task { try await host.deploy("blog", .held(by: gate)) }
            await gate.arrived()
            let second = Task { try await host.deploy() }
            try await host.queued(2)
            _ = try await host.platform.renameApplication("blog", to: "journal", by: Harness.ada)
            // Somebody else takes the old name.
            try await host.create("blog")
            gate.open()
            #expect(try await first.value.state == .live)
            #expect(try await second.value.state == .live)
            #expect(try await host.live("journal") == 2)
            #expect(try await host.live("blog") == nil)
        }
    }
}
