import BuildpackKit
import BuildpackKitTesting
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HostBuildSandboxTests {
    private func shell(_ script: String, limit: Duration? = nil, discard: Bool = false) -> BuildCommand {
        BuildCommand(
            executable: "bash", arguments: ["-c", script], environment: ["PATH": Tools.searchPath, "GIVEN": "yes"],
            workingDirectory: "/", timeLimit: limit, discardsStandardError: discard)
    }

    /// The numbers after `pid ` in what was printed.
    private func pids(_ log: RecordingBuildLog) -> [String] {
        log.lines.filter { $0.hasPrefix("pid ") }.map { String($0.dropFirst(4)) }
    }

    @Test func `streams stdout and stderr as one, in order`() async throws {
        let log = RecordingBuildLog()
        let exit = try await Tools.sandbox.run(self.shell("echo 1; echo 2 >&2; echo 3; printf 4; exit 7")) {
            await log.write($0)
        }
        #expect(exit == .exited(7))
        #expect(log.lines == ["1", "2", "3", "4"])
    }

    @Test func `shows a command the environment it is given and nothing else`() async throws {
        let log = RecordingBuildLog()
        let command = BuildCommand(
            executable: "env", environment: ["PATH": Tools.searchPath, "A": "b c"], workingDirectory: "/")
        _ = try await Tools.sandbox.run(command) { await log.write($0) }
        let names = log.lines.map { $0.prefix { $0 != "=" } }
        #expect(Set(names) == ["PATH", "A", "SLIPWAY_BUILD_COMMAND"])
        #expect(log.lines.contains("A=b c"))
    }

    @Test func `reads from nothing, in a session of its own`() async throws {
        let log = RecordingBuildLog()
        let exit = try await Tools.sandbox.run(
            self.shell("cat; ps -o pid= -o sid= -p $$ | { read p s; test $p = $s; }")
        ) {
            await log.write($0)
        }
        #expect(exit.isSuccess || !Tools.has("ps"))
        #expect(log.lines.isEmpty || !Tools.has("ps"))
    }

    @Test func `reports a signal`() async throws {
        #expect(try await Tools.sandbox.run(self.shell("kill -9 $$")) { _ in } == .signalled(9))
    }

    @Test func `leaves stderr out when asked to`() async throws {
        let log = RecordingBuildLog()
        _ = try await Tools.sandbox.run(self.shell("echo out; echo err >&2", discard: true)) { await log.write($0) }
        #expect(log.lines == ["out"])
    }

    @Test func `says that a program is missing`() async throws {
        let command = BuildCommand(
            executable: "no-such-program", environment: ["PATH": "/usr/bin"], workingDirectory: "/")
        let error = await #expect(throws: BuildError.self) { try await Tools.sandbox.run(command) { _ in } }
        #expect(error?.code == .spawnFailed)
        #expect(error?.message.contains("`no-such-program`") == true)
    }

    @Test func `cancellation stops everything the command started`() async throws {
        let log = RecordingBuildLog()
        let command = self.shell(
            """
            sleep 1000 & echo "pid $!"
            setsid sleep 1000 & echo "pid $!"
            setsid bash -c 'echo "pid $$"; (trap "" TERM HUP; sleep 1000) & echo "pid $!"; exec sleep 1000' &
            (setsid bash -c 'echo "pid $$"; exec sleep 1000' &)
            for i in $(seq 100); do sleep 0.05; done &
            sleep 0.3
            echo ready
            wait
            """)
        let task = Task { try await Tools.sandbox.run(command) { await log.write($0) } }
        await log.line(containing: "ready")
        let pids = self.pids(log)
        #expect(pids.count == 5)
        for pid in pids { #expect(Tools.isRunning(pid)) }
        task.cancel()
        let error = await #expect(throws: BuildError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        for pid in pids { #expect(!Tools.isRunning(pid)) }
    }

    @Test func `a command that is asked to stop can still say something`() async throws {
        let log = RecordingBuildLog()
        let command = self.shell("trap 'echo cleaning up; exit 3' TERM; echo ready; sleep 1000 & wait")
        let task = Task { try await Tools.sandbox.run(command) { await log.write($0) } }
        await log.line(containing: "ready")
        task.cancel()
        await #expect(throws: BuildError.self) { try await task.value }
        #expect(log.lines.last == "cleaning up")
    }

    @Test func `kills a command that ignores the request, after its time limit and the grace period`() async throws {
        let clock = ManualClock()
        let sandbox = HostBuildSandbox(
            configuration: .init(gracePeriod: .seconds(5)), clock: clock, logger: Tools.logger)
        let log = RecordingBuildLog()
        let command = self.shell(
            "trap '' TERM; echo \"pid $$\"; echo ready; while :; do sleep 1; done", limit: .seconds(10))
        let task = Task { try await sandbox.run(command) { await log.write($0) } }
        await log.line(containing: "ready")
        await clock.sleepers(atLeast: 1)
        clock.advance(by: .seconds(10))
        await clock.sleepers(atLeast: 1)
        clock.advance(by: .seconds(5))
        let error = await #expect(throws: BuildError.self) { try await task.value }
        #expect(error?.code == .timedOut)
        for pid in self.pids(log) { #expect(!Tools.isRunning(pid)) }
    }

    @Test func `a command that ends leaves nothing in the background`() async throws {
        let log = RecordingBuildLog()
        let exit = try await Tools.sandbox.run(
            self.shell("sleep 1000 & echo \"pid $!\"; setsid sleep 1000 & echo \"pid $!\"; exit 0")
        ) { await log.write($0) }
        #expect(exit.isSuccess)
        #expect(self.pids(log).count == 2)
        for pid in self.pids(log) { #expect(!Tools.isRunning(pid)) }
    }

    @Test func `a task that is cancelled already runs nothing`() async throws {
        let log = RecordingBuildLog()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await Tools.sandbox.run(self.shell("echo ran")) { await log.write($0) }
        }
        let error = await #expect(throws: BuildError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(log.lines.isEmpty)
    }

    @Test func `starts commands by the prefix`() async throws {
        let sandbox = HostBuildSandbox(
            configuration: .init(prefix: ["/usr/bin/env", "PREFIXED=1"]), logger: Tools.logger)
        let log = RecordingBuildLog()
        _ = try await sandbox.run(self.shell("echo $PREFIXED $GIVEN")) { await log.write($0) }
        #expect(log.lines == ["1 yes"])
    }
}
