import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Startup, commands and recycling with real processes.
@Suite(.timeLimit(.minutes(1))) struct LifecycleTests {
    /// The kinds and causes of an instance's events up to one.
    static func events(
        _ events: AsyncStream<SupervisorEvent>, until isLast: (SupervisorEvent.Kind) -> Bool
    ) async -> [SupervisorEvent] {
        var found: [SupervisorEvent] = []
        for await event in events {
            found.append(event)
            if isLast(event.kind) { break }
        }
        return found
    }

    // MARK: Notification

    @Test func `a process tells through its descriptor that it has started up`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell(
                    "a", "while ! test -e go; do sleep 0.02; done; echo >&7; exec 7>&-; exec sleep 1000", in: directory)
                spec.startup = .notification(descriptor: 7)
                _ = try await supervisor.start(spec)
                #expect(supervisor.status(of: "a")?.state == .starting)
                try Data().write(to: URL(filePath: directory.appending("go").string))
                try await supervisor.waitUntilReady("a")
                let ready = await first(events) { if case .ready = $0 { true } else { false } }
                #expect(ready?.cause.description == "it told so through descriptor 7")
            }
        }
    }

    @Test(arguments: [
        ("printf half >&3; exec 3>&-; exec sleep 1000", "descriptor 3 was closed without a line end"),
        ("head -c 10000000 /dev/zero >&3; exec sleep 1000", "descriptor 3 brought no line end, but a flood"),
    ]) func `who says nothing in it is said to have done so`(script: String, message: String) async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                var spec = InstanceSpec.shell("a", script, in: directory, bootTimeout: .seconds(2))
                spec.startup = .notification(descriptor: 3)
                _ = try await supervisor.start(spec)
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.waitUntilReady("a") }
                #expect(error?.message.contains("not ready within 2 s") == true)
                #expect(error?.message.contains(message) == true)
            }
        }
    }

    @Test(arguments: [false, true])
    func `a notification while there is no host is not lost`(closes: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let (go, done) = (try NamedPipe(directory.appending("go")), try NamedPipe(directory.appending("done")))
            let script = "read line < go; echo >&3; \(closes ? "exec 3>&-; " : "")echo > done; exec sleep 1000"
            try await withSupervisor(in: directory, onShutdown: .leaveRunning) { supervisor in
                var spec = InstanceSpec.shell("a", script, in: directory)
                spec.startup = .notification(descriptor: 3)
                _ = try await supervisor.start(spec)
            }
            try go.say()
            await done.heard()
            try await withSupervisor(in: directory) { supervisor in
                try await supervisor.waitUntilReady("a")
                #expect(supervisor.status(of: "a")?.adopted == true)
            }
        }
    }

    @Test func `who has told of its start under a former host need not do so again`() async throws {
        try await withTemporaryDirectory { directory in
            // It keeps the descriptor, so that nothing but the record says that its word has come.
            let script = "echo >&3; exec sleep 1000"
            try await withSupervisor(in: directory, onShutdown: .leaveRunning) { supervisor in
                var spec = InstanceSpec.shell("a", script, in: directory, readiness: .command(["test", "-e", "go"]))
                spec.startup = .notification(descriptor: 3)
                _ = try await supervisor.start(spec)
                while supervisor.status(of: "a")?.lastProbe?.detail != "test: exit status 1" { await Task.yield() }
            }
            try Data().write(to: URL(filePath: directory.appending("go").string))
            try await withSupervisor(in: directory) { supervisor in
                try await supervisor.waitUntilReady("a")
                #expect(supervisor.status(of: "a")?.adopted == true)
            }
        }
    }

    // MARK: Commands

    @Test func `commands run after the start and before the signal, and are heard`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell(
                    "a", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done", in: directory)
                spec.process.environment["NAME"] = "guestbook"
                spec.postStart = LifecycleCommand(["sh", "-c", "echo announced $NAME"])
                spec.preStop = LifecycleCommand(["sh", "-c", "echo draining"])
                _ = try await supervisor.start(spec)
                await output.lines(of: "a") { $0.contains("up") && $0.contains("announced guestbook") }
                #expect(await supervisor.stop("a") == .exited(0))
                let lines = output.texts(of: "a")
                let draining = try #require(lines.firstIndex(of: "draining"))
                let bye = try #require(lines.firstIndex(of: "bye"))
                #expect(draining < bye)
            }
        }
    }

    @Test func `a command that fails or takes too long is told, and stops nothing`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory)
                spec.postStart = LifecycleCommand(["no-such-program"])
                spec.preStop = LifecycleCommand(["sleep", "1000"], timeout: .milliseconds(200))
                _ = try await supervisor.start(spec)
                let start = await first(events) { $0 == .commandFailed(.postStart) }
                #expect(start?.cause.description.contains("no-such-program: not found in PATH") == true)
                #expect(supervisor.status(of: "a")?.state == .ready)
                #expect(await supervisor.stop("a") == .signalled(15))
                let stop = await first(events) { $0 == .commandFailed(.preStop) }
                #expect(stop?.cause == .command("sleep 1000: did not end within 0.2 s"))
            }
        }
    }

    @Test func `the time of the command before the signal counts in the grace`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory, grace: .milliseconds(300))
                spec.preStop = LifecycleCommand(["sh", "-c", "echo $$; exec sleep 1000"], timeout: .seconds(1000))
                _ = try await supervisor.start(spec)
                #expect(await supervisor.stop("a") == .signalled(9))
                let command = try #require(output.texts(of: "a").first.flatMap { Int32($0) })
                #expect(!isAlive(command))
            }
        }
    }

    // MARK: Events

    @Test func `every change is told with its cause`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let launcher = ScriptedLauncher(clock: clock)
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                let events = supervisor.events()
                var spec = ScriptedTests.spec("a")
                spec.recycling = RecyclePolicy(maxAge: .seconds(1000), jitter: 0)
                _ = try await supervisor.start(spec)
                try await supervisor.waitUntilReady("a")
                try await supervisor.restart("a")
                try await supervisor.waitUntilReady("a")
                // The time after which it counts as stable, and its age.
                await clock.sleepers(atLeast: 2)
                clock.advance(by: .seconds(1000))
                let third = try #require(await launcher.process(3, of: "a"))
                try await supervisor.waitUntilReady("a")
                third.end(.exited(4))
                while supervisor.status(of: "a")?.restarts == 0 {
                    clock.advance(by: .milliseconds(10))
                    await Task.yield()
                }
                _ = await launcher.process(4, of: "a")
                try await supervisor.waitUntilReady("a")
                await supervisor.stop("a")
                let all = await Self.events(events) { if case .stopped = $0 { true } else { false } }
                let old = "recycled: has run for 1000 s and more"
                #expect(
                    all.map { "\(Self.name($0.kind)): \($0.cause)" } == [
                        "started: as requested", "ready: it has started, and there is no probe",
                        "unready: as requested", "ending: as requested", "exited: as requested",
                        "started: as requested", "ready: it has started, and there is no probe",
                        "unready: \(old)", "ending: \(old)", "exited: \(old)",
                        "started: \(old)", "ready: it has started, and there is no probe",
                        "unready: exit status 4", "exited: exit status 4",
                        "started: by the restart policy", "ready: it has started, and there is no probe",
                        "stopping: as requested", "stopped: as requested",
                    ])
            }
        }
    }

    static func name(_ kind: SupervisorEvent.Kind) -> String { String("\(kind)".prefix { $0 != "(" }) }
}
