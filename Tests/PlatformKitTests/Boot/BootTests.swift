import Foundation
import PlatformKitTesting
import PlatformWire
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct BootTests {
    @Test func `what still runs is adopted, and what is missing is started`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                try await host.create()
                try await host.deploy()
                try await host.deploy()
                try await host.scale(["web": 2])
            }
            let id = try #require(try await store.read { try $0.application(named: "blog") }).id
            let runtime = ScriptedRuntime()
            runtime.adopt(self.instance("kept", id, "web", 1, release: 2))
            runtime.adopt(self.instance("obsolete", id, "web", 1, release: 1))
            runtime.adopt(self.instance("beyond", id, "web", 3, release: 2))
            runtime.adopt(self.instance("stray", "nobody", "web", 1, release: 1))
            try await Harness(directory, runtime: runtime, store: store).running { host in
                await host.settled(running: ["web.1@v2", "web.2@v2"], routed: ["web.1@v2", "web.2@v2"])
                #expect(runtime.snapshot.instances["kept"]?.phase == .ready)
                #expect(runtime.snapshot.records.filter { "\($0)".hasPrefix("start") } == [.start("web.2@v2")])
                // A serial that is not taken yet: the next replacement is the newer one.
                #expect(runtime.snapshot.requests.map(\.serial) == [2])
            }
            #expect(runtime.snapshot.violations.isEmpty)
        }
    }

    @Test func `nothing is started before what runs is known`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                try await host.create()
                try await host.deploy()
            }
            let adoption = Gate()
            let runtime = ScriptedRuntime(adoption: { try await adoption.pass() })
            let host = try Harness(directory, runtime: runtime, store: store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await host.platform.run() }
                await adoption.arrived()
                #expect(!host.platform.isReady)
                #expect(runtime.snapshot.records.isEmpty)
                await expect(.unavailable) { try await host.deploy() }
                await expect(.unavailable) { try await host.scale(["web": 2]) }
                adoption.open()
                try await host.platform.waitUntilReady()
                #expect(runtime.snapshot.routed == ["web.1@v1"])
                group.cancelAll()
            }
        }
    }

    @Test func `deployments that a crash interrupted are closed, and say so`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            let states: [DeploymentState] = [.live, .queued, .building, .packaged, .releasing, .rollingOut, .failed]
            try await store.write { records in
                var application = ApplicationRecord(id: "id", name: "blog", createdAt: Date(timeIntervalSince1970: 0))
                application.lastDeployment = states.count
                try records.save(application)
                for (index, state) in states.enumerated() {
                    try records.save(
                        DeploymentRecord(
                            applicationID: "id", number: index + 1, state: state.rawValue, description: "test",
                            author: "ada", commit: nil, release: nil, cause: nil,
                            createdAt: Date(timeIntervalSince1970: 0), finishedAt: nil))
                }
            }
            try await Harness(directory, store: store).running { host in
                #expect(
                    try await host.states() == [.live, .failed, .failed, .failed, .failed, .failed, .failed])
                let interrupted = try await host.platform.deployment(3, of: "blog")
                #expect(interrupted.cause == "the host stopped while the deployment was building")
                #expect(interrupted.finishedAt != nil)
                #expect(try await host.platform.deployment(1, of: "blog").cause == nil)
            }
        }
    }

    @Test func `storage of no application goes, and what is no storage stays`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            let first = try Harness(directory, store: store)
            try await first.running {
                try await $0.create()
                try await $0.deploy()
            }
            let kept = first.platform.storage(of: try await first.platform.find("blog").id)
            let left = first.platform.storage(of: UUID().uuidString.lowercased())
            let other = kept.removingLastComponent().appending("lost+found")
            for path in [left.appending("a/b"), other] {
                try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
            }
            let gone = FilePath("\(left)")
            try await Harness(directory, store: store).running { host in
                while FileManager.default.fileExists(atPath: gone.string) { await Task.yield() }
                #expect(FileManager.default.fileExists(atPath: kept.string))
                #expect(FileManager.default.fileExists(atPath: other.string))
            }
        }
    }

    @Test func `an application that cannot be loaded does not keep the others down`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                for name in ["broken", "sound"] {
                    try await host.create(name)
                    try await host.set(["A": "1"], of: name)
                    try await host.deploy(name)
                }
            }
            try await store.write { records in
                var broken = try #require(try records.application(named: "broken"))
                broken.sealedConfig = Data("damaged".utf8)
                try records.save(broken)
            }
            let runtime = ScriptedRuntime()
            try await Harness(directory, runtime: runtime, store: store).running { host in
                let sound = try await host.platform.find("sound").id
                #expect(runtime.snapshot.routes[sound]?.instances.count == 1)
                let lines = try await host.platform.recentLogs(of: "broken", limit: 10, sources: nil, process: nil)
                #expect(lines.contains { $0.text.contains("Cannot be loaded") })
                #expect(try await host.deploy("sound").state == .live)
                await expect(.internalError, "cannot open the config") { try await host.deploy("broken") }
                try await host.platform.destroyApplication("broken", by: Harness.ada)
                #expect(try await host.platform.applications().map(\.name) == ["sound"])
            }
        }
    }

    @Test func `a deployment brings back an application whose live release cannot be read`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("state.db")
            let sealed = try ConfigSealer(key: Data(repeating: 1, count: 32)).seal(["A": "1"], for: "id")
            let store = try SQLitePlatformStore(path: path)
            try await store.write { records in
                var application = ApplicationRecord(id: "id", name: "blog", createdAt: Date(timeIntervalSince1970: 0))
                application.liveRelease = 1
                application.lastRelease = 1
                application.formation = ["web": 1]
                try records.save(application)
                try records.insert(
                    ReleaseRecord(
                        applicationID: "id", version: 1, slug: "sha256:0", commit: nil, author: "ada", description: "",
                        createdAt: Date(timeIntervalSince1970: 0), processTypes: ["web": "run"], releaseCommand: nil,
                        life: [:], sealedConfig: sealed))
            }
            let runtime = ScriptedRuntime()
            runtime.adopt(self.instance("old", "id", "web", 1, release: 1))
            try await Harness(directory, runtime: runtime, store: store).running { host in
                let deployment = try await host.deploy()
                #expect(deployment.state == .live)
                await host.settled(running: ["web.1@v2"], routed: ["web.1@v2"])
                #expect(runtime.snapshot.routes["id"]?.hosts == ["blog.localhost"])
            }
        }
    }

    @Test func `waiting for a platform that never gets ready can be given up`() async throws {
        try await withTemporaryDirectory { directory in
            let host = try Harness(directory)
            let waiting = Task { try await host.platform.waitUntilReady() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
    }

    @Test func `waiting for a platform that cannot start ends with it`() async throws {
        struct Failure: Error {}
        try await withTemporaryDirectory { directory in
            let host = try Harness(directory, runtime: ScriptedRuntime(adoption: { throw Failure() }))
            let waiting = Task { try await host.platform.waitUntilReady() }
            await #expect(throws: Failure.self) { try await host.platform.run() }
            await expect(.unavailable) { try await waiting.value }
            await expect(.unavailable) { try await host.platform.waitUntilReady() }
        }
    }

    @Test func `a start waits for slow instances, but not for ever`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store).running { host in
                try await host.create()
                try await host.deploy()
            }
            let runtime = ScriptedRuntime(boot: { _ in .staysStarting })
            let host = try Harness(directory, runtime: runtime, store: store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await host.platform.run() }
                // The start, and the requests that wait for the instance.
                await host.clock.sleepers(atLeast: 2)
                #expect(!host.platform.isReady)
                host.clock.advance(by: .seconds(30))
                try await host.platform.waitUntilReady()
                runtime.makeReady(try #require(runtime.snapshot.id(of: "web.1")))
                await host.settled(running: ["web.1@v1"], routed: ["web.1@v1"])
                group.cancelAll()
            }
        }
    }

    private func instance(
        _ id: String, _ applicationID: String, _ type: String, _ number: Int, release: Int
    ) -> WorkloadInstance {
        WorkloadInstance(
            id: id, applicationID: applicationID, processType: type, number: number, release: release, serial: 1,
            phase: .ready)
    }
}
