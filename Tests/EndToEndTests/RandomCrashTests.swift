import Foundation
import PlatformWire
import Synchronization
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// The host is killed again and again among requests, changes and output. `SLIPWAY_CRASHES` says how often.
    @Suite(.timeLimit(.minutes(60))) struct RandomCrashTests {
        /// Kills after which nothing may be amiss.
        static let crashes = ProcessInfo.processInfo.environment["SLIPWAY_CRASHES"].flatMap { Int($0) } ?? 3

        @Test func `killed at any moment under load, nothing is orphaned, doubled or restarted`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                var files = SampleSources.echo
                files["worker.js"] = "let i = 0; setInterval(() => console.log('tick ' + ++i), 5);\n"
                let tree = try await WorkTree(at: directory.appending("echo"), files: files)
                let pids = try await withTestHost(data: data, arguments: ["--leave-running"]) { host in
                    try await host.create("echo")
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=2", "worker=1")
                    try #require(scale.status == 0, "\(scale)")
                    return try await self.stayingPIDs(host)
                }
                var lost: Set<Int> = []
                for _ in 0..<Self.crashes {
                    let missing = try await withTestHost(data: data, killed: true) { host in
                        #expect(try await self.stayingPIDs(host) == pids)
                        try await self.checkThatEachHasOnePlace(host)
                        let missing = try await self.missingTicks(host)
                        await self.killUnderLoad(host)
                        return missing
                    }
                    lost.formUnion(missing)
                    #expect(pids.values.allSatisfy(isAlive))
                }
                let missing = try await withTestHost(data: data) { host in
                    #expect(try await self.stayingPIDs(host) == pids)
                    try await self.checkThatEachHasOnePlace(host)
                    return try await self.missingTicks(host)
                }
                lost.formUnion(missing)
                let left = try processes(of: data)
                #expect(left.isEmpty)
                // A kill between the reading of a line and its writing loses it: some microseconds of each 5 ms.
                #expect(lost.count <= 1 + Self.crashes / 20, "\(lost.count) lines lost in \(Self.crashes) crashes")
                print("\(lost.count) of the worker's lines were lost in \(Self.crashes) crashes")
            }
        }

        /// Those that no change in the test concerns.
        private func stayingPIDs(_ host: TestHost) async throws -> [String: Int32] {
            let instances = try await host.instances("echo").filter {
                ["web.1", "web.2", "worker.1"].contains($0.name)
            }
            return Dictionary(instances.map { ($0.name, $0.pid ?? 0) }) { first, _ in first }
        }

        private func checkThatEachHasOnePlace(_ host: TestHost) async throws {
            let found = try await host.instances("echo")
            #expect(Set(found.map(\.name)).count == found.count, "\(found)")
            let running = try processes(of: host.data).filter { $0 != host.pid }
            #expect(Set(running).isSubset(of: Set(found.compactMap(\.pid))), "\(found)")
        }

        private func missingTicks(_ host: TestHost) async throws -> Set<Int> {
            let logs = try await host.slipway("logs", "--app", "echo", "-n", "5000", "--ps", "worker.1")
            let ticks = logs.output.split(separator: "\n").compactMap { line in
                line.range(of: ": tick ").flatMap { Int(line[$0.upperBound...]) }
            }
            let first = try #require(ticks.first, "\(logs)")
            let last = try #require(ticks.last)
            #expect(Set(ticks).count == ticks.count, "no line twice")
            return Set(first...last).subtracting(ticks)
        }

        private final class Load: Sendable {
            let answers = Mutex(0)
            let isOver = Mutex(false)

            func visit(_ host: TestHost) async {
                while !self.isOver.withLock({ $0 }) {
                    _ = try? await host.get("echo")
                    self.answers.withLock { $0 += 1 }
                }
            }
        }

        /// Kills the host after some requests, in the middle of others and of a change.
        private func killUnderLoad(_ host: TestHost) async {
            let load = Load()
            let enough = Int.random(in: 0...300)
            let wanted = Int.random(in: 1...4)
            await withDiscardingTaskGroup { group in
                for _ in 0..<4 { group.addTask { await load.visit(host) } }
                group.addTask { _ = try? await host.slipway("ps", "scale", "--app", "echo", "worker=\(wanted)") }
                while load.answers.withLock({ $0 }) < enough { await Task.yield() }
                kill(host.pid, SIGKILL)
                load.isOver.withLock { $0 = true }
            }
        }
    }
}
