import BuildpackKit
import BuildpackKitTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BuildLimitsTests {
    private let hanging = TestBuildpack { context in
        try await context.run("forever")
        return []
    }

    @Test func `a build that takes too long is stopped`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let clock = ManualClock()
            let log = RecordingBuildLog()
            let builder = workspace.builder(
                [self.hanging], sandbox: ScriptedSandbox { _ in .hangs(printing: ["started"]) }, clock: clock)
            let request = workspace.request()
            let task = Task { try await builder.build(request, log: log) }
            await log.line(containing: "started")
            await clock.sleepers(atLeast: 2)
            clock.advance(by: .seconds(900))
            let error = await #expect(throws: BuildError.self) { try await task.value }
            #expect(error?.code == .timedOut)
            #expect(error?.message.contains("900.0 seconds") == true)
            #expect(error?.command == "forever")
        }
    }

    @Test func `a build that fills the disk is stopped`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let clock = ManualClock()
            let log = RecordingBuildLog()
            let pack = TestBuildpack { context in
                try context.source.write(String(repeating: "x", count: 300_000), to: "large")
                try await context.run("forever")
                return []
            }
            let builder = workspace.builder(
                [pack], sandbox: ScriptedSandbox { _ in .hangs(printing: ["started"]) }, clock: clock
            ) { $0.diskLimit = 200_000 }
            let request = workspace.request()
            let task = Task { try await builder.build(request, log: log) }
            await log.line(containing: "started")
            await clock.sleepers(atLeast: 2)
            clock.advance(by: .seconds(5))
            let error = await #expect(throws: BuildError.self) { try await task.value }
            #expect(error?.code == .diskLimit)
        }
    }

    @Test func `a build that is quick does not get past the disk limit`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x", "large": String(repeating: "x", count: 300_000)])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder { $0.diskLimit = 200_000 }
                    .build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .diskLimit)
        }
    }

    @Test func `a build that prints without end is stopped, and the log ends at the limit`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let pack = TestBuildpack { context in
                try await context.run("bash", ["-c", "echo pid $$; exec yes"])
                return []
            }
            let log = RecordingBuildLog()
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder([pack]) { $0.outputLimit = 10_000 }
                    .build(workspace.request(), log: log)
            }
            #expect(error?.code == .outputLimit)
            #expect(log.text.utf8.count <= 10_000)
            let pid = log.lines.first { $0.contains("pid ") }?.split(separator: " ").last.map(String.init)
            #expect(!Tools.isRunning(try #require(pid)))
        }
    }

    @Test func `a cancelled build stops its command and cleans up`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let pack = TestBuildpack { context in
                try await context.run("bash", ["-c", "echo pid $$; sleep 1000"])
                return []
            }
            let log = RecordingBuildLog()
            let builder = workspace.builder([pack])
            let request = workspace.request()
            let task = Task { try await builder.build(request, log: log) }
            await log.line(containing: "pid ")
            task.cancel()
            let error = await #expect(throws: BuildError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            let pid = log.lines.first { $0.contains("pid ") }?.split(separator: " ").last.map(String.init)
            #expect(!Tools.isRunning(try #require(pid)))
            #expect(workspace.leftovers.isEmpty)
        }
    }
}
