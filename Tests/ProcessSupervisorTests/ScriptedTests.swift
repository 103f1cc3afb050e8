import Logging
import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

/// The supervisor around its machine, with processes that are none and a clock that stands still.
@Suite(.timeLimit(.minutes(1))) struct ScriptedTests {
    static func spec(
        _ id: InstanceID = "a/worker.1", restart: RestartPolicy = .always(backoff: BackoffPolicy())
    ) -> InstanceSpec {
        InstanceSpec(
            id: id, process: ProcessSpec(arguments: ["x"], workingDirectory: "/"), labels: ["app": "a"],
            restart: restart)
    }

    @Test func `starts, tells, and stops`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher()
            try await withSupervisor(in: directory, launcher: launcher, clock: ManualClock()) { supervisor in
                let events = supervisor.events()
                let status = try await supervisor.start(Self.spec())
                #expect(status.state == .ready)
                try await supervisor.waitUntilReady("a/worker.1")
                #expect(await supervisor.stop("a/worker.1") == .signalled(15))
                #expect(supervisor.status(of: "a/worker.1") == nil)
                #expect(await supervisor.stop("a/worker.1") == nil)
                var kinds: [SupervisorEvent.Kind] = []
                for await event in events {
                    #expect(event.labels == ["app": "a"])
                    kinds.append(event.kind)
                    if case .stopped = event.kind { break }
                }
                #expect(
                    kinds == [
                        .started(pid: 100_000, port: nil), .ready(port: nil), .stopping, .stopped(.signalled(15)),
                    ])
            }
        }
    }

    @Test func `a start that fails says why and leaves nothing`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher { _, _ in .fails("cannot execute x: Exec format error") }
            try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(Self.spec()) }
                #expect(error?.code == .launchFailed)
                #expect(error?.message == "cannot execute x: Exec format error")
                #expect(supervisor.statuses().isEmpty)
            }
        }
    }

    @Test func `a name is taken once`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: ScriptedLauncher()) { supervisor in
                _ = try await supervisor.start(Self.spec())
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(Self.spec()) }
                #expect(error?.code == .alreadyRunning)
            }
        }
    }

    @Test func `backs off and restarts by the clock`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let launcher = ScriptedLauncher(clock: clock)
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                let events = supervisor.events()
                _ = try await supervisor.start(Self.spec())
                let one = try #require(await launcher.process(1, of: "a/worker.1"))
                one.end(.exited(1))
                _ = await first(events) {
                    if case .exited(.exited(1), willRestartAfter: .some) = $0 { true } else { false }
                }
                await clock.sleepers(atLeast: 1)
                #expect(supervisor.status(of: "a/worker.1")?.state == .backingOff)
                clock.advance(by: .seconds(1))
                _ = try #require(await launcher.process(2, of: "a/worker.1"))
                try await supervisor.waitUntilReady("a/worker.1")
                #expect(supervisor.status(of: "a/worker.1")?.restarts == 1)
            }
        }
    }

    @Test func `kills what ignores its signal when the grace is over`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let launcher = ScriptedLauncher(clock: clock) { _, _ in .ignoresSignals }
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                _ = try await supervisor.start(Self.spec(restart: .never))
                let process = try #require(await launcher.process(1, of: "a/worker.1"))
                async let one = supervisor.stop("a/worker.1")
                async let two = supervisor.stop("a/worker.1")
                await process.receives(15)
                await clock.sleepers(atLeast: 1)
                #expect(!process.hasEnded)
                clock.advance(by: .seconds(30))
                #expect(await one == .signalled(9))
                #expect(await two == .signalled(9))
                #expect(process.signals == [15, 9])
            }
        }
    }

    @Test func `a restart takes another process`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher()
            try await withSupervisor(in: directory, launcher: launcher, clock: ManualClock()) { supervisor in
                _ = try await supervisor.start(Self.spec())
                try await supervisor.restart("a/worker.1")
                try await supervisor.waitUntilReady("a/worker.1")
                #expect(launcher.processes(of: "a/worker.1").map(\.hasEnded) == [true, false])
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.restart("nobody") }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test func `waiting for readiness can be cancelled`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            try await withSupervisor(in: directory, launcher: ScriptedLauncher(), clock: clock) { supervisor in
                var spec = Self.spec()
                spec.port = .allocate
                spec.readiness = .tcp
                _ = try await supervisor.start(spec)
                let wait = Task { try await supervisor.waitUntilReady("a/worker.1") }
                wait.cancel()
                let error = await #expect(throws: SupervisorError.self) { try await wait.value }
                #expect(error?.code == .cancelled)
            }
        }
    }

    @Test func `the next supervisor takes over what runs and restarts what ended`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let launcher = ScriptedLauncher(clock: clock)
            try await withSupervisor(in: directory, launcher: launcher, clock: clock, onShutdown: .leaveRunning) {
                _ = try await $0.start(Self.spec("lives"))
                _ = try await $0.start(Self.spec("dies"))
            }
            let dead = try #require(await launcher.process(1, of: "dies"))
            dead.end(.exited(9))
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                let lives = try #require(supervisor.status(of: "lives"))
                #expect(lives.adopted)
                #expect(lives.pid == launcher.processes(of: "lives").first?.pid)
                #expect(launcher.processes(of: "lives").count == 1)
                #expect(supervisor.status(of: "dies")?.state == .backingOff)
                #expect(supervisor.status(of: "dies")?.lastExit == .unknown)
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .seconds(1))
                _ = try #require(await launcher.process(2, of: "dies"))
            }
            #expect(launcher.processes(of: "lives").map(\.hasEnded) == [true])
        }
    }

    @Test func `two supervisors never share a state directory`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: ScriptedLauncher()) { _ in
                let error = await #expect(throws: SupervisorError.self) {
                    try await withSupervisor(in: directory, launcher: ScriptedLauncher()) { _ in }
                }
                #expect(error?.code == .stateDirectory)
            }
        }
    }

    @Test func `two supervisors in one process do not notice each other`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory.appending("a")) { one in
                try await withSupervisor(in: directory.appending("b")) { two in
                    _ = try await one.start(.shell("same", "sleep 1000", in: directory))
                    _ = try await two.start(.shell("same", "sleep 1000", in: directory))
                    await one.stop("same")
                    let status = try #require(two.status(of: "same"))
                    #expect(isAlive(status.pid))
                }
            }
        }
    }

    @Test func `refuses what cannot be carried out`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: ScriptedLauncher(), configure: { $0.maxInstances = 1 }) {
                supervisor in
                var specs = [InstanceSpec](repeating: Self.spec(), count: 5)
                specs[0].id = ""
                specs[1].process.arguments = []
                specs[2].process.environment = ["A": "b\0c"]
                specs[3].readiness = .tcp
                specs[4].process.workingDirectory = "relative"
                for spec in specs {
                    let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                    #expect(error?.code == .invalidSpec)
                }
                _ = try await supervisor.start(Self.spec("one"))
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(Self.spec("two")) }
                #expect(error?.code == .tooManyInstances)
            }
        }
    }
}
