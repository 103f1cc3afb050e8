import Foundation
import PlatformKitTesting
import PlatformWire
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(.timeLimit(.minutes(1))) struct ApplicationUserTests {
    @Test(arguments: 0..<200) func `a number is free, and seldom the one that was just given back`(number: Int) {
        let range: ClosedRange<UInt32> = 1_000...1_999
        let first = Platform.freeUser(in: range, taken: [], for: "application \(number)")
        #expect(first.map(range.contains) == true)
        // The same for the same application; another when that one is taken.
        #expect(Platform.freeUser(in: range, taken: [], for: "application \(number)") == first)
        let second = Platform.freeUser(in: range, taken: Set([first].compactMap(\.self)), for: "application \(number)")
        #expect(second.map(range.contains) == true && second != first)
    }

    @Test func `numbers come from everywhere in the range, until there are none`() {
        let numbers = Set((0..<100).compactMap { Platform.freeUser(in: 1_000...1_999_999, taken: [], for: "\($0)") })
        #expect(numbers.count > 95)
        for last in 10...14 as ClosedRange<UInt32> {
            let taken = Set(9...14 as ClosedRange<UInt32>).subtracting([last])
            #expect(Platform.freeUser(in: 9...14, taken: taken, for: "one") == last)
        }
        // The first of the range is given to none.
        #expect(Platform.freeUser(in: 9...14, taken: Set(10...14), for: "one") == nil)
        #expect(Platform.freeUser(in: 9...9, taken: [], for: "one") == nil)
    }

    @Test func `each application has its own for life, and storage that goes with it`() async throws {
        let users: ClosedRange<UInt32> = 69_999...70_001
        try await withPlatform {
            $0.applicationUsers = users
        } _: { host in
            for name in ["one", "two"] {
                try await host.create(name)
                try await host.deploy(name)
                try await host.deploy(name)
            }
            let requests = host.runtime.snapshot.requests
            let (one, two) = (try #require(requests[0].user), try #require(requests[2].user))
            #expect(Set([one, two]) == [70_000, 70_001])
            #expect(requests.map(\.user) == [one, one, two, two])
            let storage = try #require(requests.last?.storage)
            #expect(requests.suffix(2).map(\.storage) == [storage, storage])
            #expect(storage != requests[0].storage)
            var information = stat()
            #expect(stat(storage, &information) == 0)
            #expect(information.st_mode & 0o777 == 0o700)
            if geteuid() == 0 { #expect(information.st_uid == two) }

            try await host.create("three")
            await expect(.limit, "--application-users") { try await host.deploy("three") }
            try await host.platform.destroyApplication("two", by: Harness.ada)
            while FileManager.default.fileExists(atPath: storage) { await Task.yield() }
            try await host.deploy("three")
            #expect(host.runtime.snapshot.requests.last?.user == two)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `when users change, instances of the old one end before the storage is the new one's`() async throws {
        try await withTemporaryDirectory { directory in
            let store = try SQLitePlatformStore()
            try await Harness(directory, store: store, configure: { $0.applicationUsers = 69_999...70_001 }).running {
                try await $0.create()
                try await $0.deploy()
            }
            let application = try #require(try await store.read { try $0.application(named: "blog") })
            let former = try #require(application.user)
            let runtime = ScriptedRuntime()
            runtime.adopt(
                WorkloadInstance(
                    id: "old", applicationID: application.id, processType: "web", number: 1, release: 1, serial: 1,
                    phase: .ready, user: former))
            runtime.holdStops(of: ["web"])
            let host = try Harness(
                directory, runtime: runtime, store: store, configure: { $0.applicationUsers = 79_999...80_001 })
            func owner() -> UInt32 {
                var information = stat()
                return stat(host.platform.storage(of: application.id).string, &information) == 0
                    ? information.st_uid : .max
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await host.platform.run() }
                await runtime.wait { $0.instances["old"]?.phase == .stopping }
                // Requests wait meanwhile.
                #expect(runtime.snapshot.routes[application.id]?.instances == [])
                #expect(runtime.snapshot.routes[application.id]?.hold != nil)
                // A start waits for it as for others, and no longer.
                await host.clock.sleepers(atLeast: 2)
                host.clock.advance(by: .seconds(30))
                try await host.platform.waitUntilReady()
                #expect(owner() == former)
                await expect(.conflict, "web.1 of blog still ends as the user that it had before") {
                    try await host.platform.runOneOff(
                        OneOffRequest(command: ["report"]), of: "blog", by: Harness.ada,
                        session: OneOffSession { _ in })
                }
                // A release command and a rollout wait until it has ended.
                let (lines, feed) = AsyncStream<String>.makeStream()
                let source = DeploymentSource.of("web: run\nrelease: migrate")
                let deployment = Task { try await host.deploy("blog", source, output: Lines(feed: feed)) }
                for await line in lines where line.contains("Stopping web.1, before another is started") { break }
                #expect(runtime.snapshot.requests.isEmpty)
                runtime.holdStops(of: [])
                #expect(try await deployment.value.state == .live)
                await host.settled(running: ["web.1@v2"], routed: ["web.1@v2"])
                #expect(runtime.snapshot.records.contains(.oneOff("release.2@v2")))
                let users = runtime.snapshot.requests.map(\.user)
                #expect(Set(users) == [owner()] && (80_000...80_001).contains(owner()))
                group.cancelAll()
            }
            #expect(runtime.snapshot.violations.isEmpty)
        }
    }

    @Test func `a number is not given out while another application's instances still have it`() async throws {
        try await withTemporaryDirectory { directory in
            let runtime = ScriptedRuntime()
            runtime.adopt(
                WorkloadInstance(
                    id: "left", applicationID: "destroyed", processType: "web", number: 1, release: 1, serial: 1,
                    phase: .ready, user: 70_000))
            runtime.holdStops(of: ["web"])
            let configure: (inout Platform.Configuration) -> Void = { $0.applicationUsers = 69_999...70_001 }
            try await Harness(directory, runtime: runtime, configure: configure).running { host in
                try await host.create("one")
                try await host.deploy("one")
                #expect(runtime.snapshot.requests.map(\.user) == [70_001])
                try await host.create("two")
                await expect(.limit, "--application-users") { try await host.deploy("two") }
                runtime.holdStops(of: [])
                await runtime.wait { $0.instances["left"] == nil }
                try await host.deploy("two")
                #expect(runtime.snapshot.requests.map(\.user) == [70_001, 70_000])
            }
            #expect(runtime.snapshot.violations.isEmpty)
        }
    }

    @Test func `none has one where none is wanted`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            #expect(host.runtime.snapshot.requests.map(\.user) == [nil])
        }
    }

    private struct Lines: ProgressOutput {
        let feed: AsyncStream<String>.Continuation

        func line(_ text: String) async throws { self.feed.yield(text) }
    }
}
