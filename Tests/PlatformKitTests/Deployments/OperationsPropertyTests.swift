import PlatformKitTesting
import PlatformWire
import TestSupport
import Testing

@testable import PlatformKit

/// Random operations with random outcomes; what must hold afterwards always holds.
@Suite(.timeLimit(.minutes(3))) struct OperationsPropertyTests {
    enum Operation: String, CaseIterable {
        case deploy, config, rollback, scale, restart, maintenance, crash, recover, loseReadiness
    }

    @Test(arguments: 1...20) func `any operations with any outcome keep the promises`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let runtime = ScriptedRuntime()
            try await Harness(directory, runtime: runtime).running { host in
                try await host.create()
                var random = SeededGenerator(seed: seed)
                var history: [String] = []
                for _ in 0..<25 {
                    let operations = (0..<(random.chance(30) ? 2 : 1)).map { _ in random.pick(Operation.allCases) }
                    let failing = random.chance(35) ? random.pick(Self.failures) : .ready
                    let failsFor = random.pick(["web", "worker", "both"])
                    runtime.script { request in
                        failsFor == "both" || request.processType == failsFor ? failing : .ready
                    }
                    runtime.holdDrains(random.chance(30))
                    history.append("\(operations.map(\.rawValue)) \(failing) for \(failsFor)")
                    let before = try await host.live()
                    let results = await self.perform(operations, host, &random)
                    runtime.holdDrains(false)
                    history.append("  \(results)")
                    try await self.check(host, Comment(rawValue: history.joined(separator: "\n")))
                    if !results.contains(true) {
                        #expect(try await host.live() == before, "\(history)")
                    }
                    guard runtime.snapshot.violations.isEmpty else { break }
                }
            }
            #expect(runtime.snapshot.violations.isEmpty, "seed \(seed)")
        }
    }

    private static let failures: [ScriptedRuntime.Boot] = [
        .crashes("exit status 1"), .cannotStart("no such file"), .endsRightAfterStart("exit status 2"), .staysStarting,
    ]

    /// Runs the operations at the same time; cancels those that would wait for ever. Answers which succeeded.
    private func perform(_ operations: [Operation], _ host: Harness, _ random: inout SeededGenerator) async -> [Bool] {
        let seeds = operations.map { _ in random.next() }
        return await withTaskGroup(of: Bool.self) { group in
            for (operation, seed) in zip(operations, seeds) {
                group.addTask {
                    let task = Task { try await self.perform(operation, host, SeededGenerator(seed: seed)) }
                    // What does not become ready is given up by whoever waits for it.
                    let impatience = Task {
                        if await host.runtime.wait(until: { $0.instances.values.contains { $0.phase == .starting } }) {
                            task.cancel()
                        }
                    }
                    defer { impatience.cancel() }
                    do {
                        try await task.value
                        return true
                    } catch {
                        return false
                    }
                }
            }
            var results: [Bool] = []
            for await result in group { results.append(result) }
            return results
        }
    }

    private func perform(_ operation: Operation, _ host: Harness, _ seed: SeededGenerator) async throws {
        var random = seed
        switch operation {
        case .deploy:
            let procfile = random.pick(["web: run", "web: run\nworker: work", "worker: work"])
            try await host.deploy("blog", .of(procfile, random.chance(10) ? ["FAIL": ""] : [:]))
        case .config: try await host.set(["A": "\(random.next())"])
        case .rollback: try await host.rollback()
        case .scale: try await host.scale([random.pick(["web", "worker"]): Int.random(in: 0...3, using: &random)])
        case .restart: try await host.restart(random.pick([nil, "web", "worker", "web.1"]))
        case .maintenance:
            _ = try await host.platform.setMaintenance(random.chance(50), of: "blog", by: Harness.ada)
        case .crash: self.ids(host).randomElement(using: &random).map { host.runtime.crash($0) }
        case .loseReadiness: self.ids(host).randomElement(using: &random).map { host.runtime.makeUnready($0) }
        case .recover: for id in self.ids(host) { host.runtime.makeReady(id) }
        }
    }

    private func ids(_ host: Harness) -> [String] {
        host.runtime.snapshot.instances.values.filter { $0.phase != .stopping }.map(\.id).sorted()
    }

    private func check(_ host: Harness, _ history: Comment) async throws {
        let application = try await host.platform.find("blog")
        let releases = try await host.platform.releases(of: "blog")
        #expect(releases.filter(\.isLive).map(\.version) == (application.liveRelease.map { [$0] } ?? []), history)
        #expect(try await host.states().allSatisfy(\.isFinal), history)
        let live = releases.first(where: \.isLive)
        let slots = Set(
            (live?.processTypes.keys.map { $0 } ?? []).flatMap { type in
                (0..<(application.formation[type] ?? 0)).map { "\(type).\($0 + 1)@v\(live?.version ?? 0)" }
            })
        // Draining and stopping go on in the background: this is where they must arrive.
        let isSettled: @Sendable (ScriptedRuntime.Snapshot) -> Bool = { snapshot in
            let instances = snapshot.instances.values
            let ready = instances.filter { $0.phase == .ready && $0.processType == "web" }.map(\.id)
            return snapshot.running.allSatisfy(slots.contains) && Set(snapshot.running).count == instances.count
                && Set(snapshot.routes[application.id]?.instances ?? []) == Set(ready)
        }
        let isThere = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await host.runtime.wait(until: isSettled) }
            group.addTask {
                try? await Task.sleep(for: .seconds(20))
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        let snapshot = host.runtime.snapshot
        #expect(
            isThere,
            "wanted \(slots.sorted()), runs \(snapshot.instances.values), routed \(snapshot.routed)\n\(history)")
        #expect(snapshot.violations.isEmpty, history)
    }
}
