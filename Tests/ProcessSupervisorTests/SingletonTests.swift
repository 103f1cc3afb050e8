import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

/// What may be there once is never there twice, whatever is asked for, and when.
@Suite(.timeLimit(.minutes(1))) struct SingletonTests {
    static func spec(_ id: InstanceID) -> InstanceSpec {
        var spec = ScriptedTests.spec(id)
        spec.singleton = "a/clock"
        return spec
    }

    @Test func `a second one is refused until the first has ended and is forgotten`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher { _, _ in .ignoresSignals }
            let clock = ManualClock()
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                _ = try await supervisor.start(Self.spec("a/clock.1@v1"))
                let error = await #expect(throws: SupervisorError.self) {
                    try await supervisor.start(Self.spec("a/clock.1@v2"))
                }
                #expect(error?.code == .alreadyRunning)
                #expect(error?.message.contains("a/clock.1@v1 is ready") == true)
                // Others do not care.
                _ = try await supervisor.start(ScriptedTests.spec("a/web.1"))
                async let end = supervisor.stop("a/clock.1@v1")
                await launcher.process(1, of: "a/clock.1@v1")?.receives(15)
                await #expect(throws: SupervisorError.self) { try await supervisor.start(Self.spec("a/clock.1@v2")) }
                // Its grace, and the time after which the other one counts as stable.
                await clock.sleepers(atLeast: 2)
                clock.advance(by: .seconds(30))
                #expect(await end == .signalled(9))
                _ = try await supervisor.start(Self.spec("a/clock.1@v2"))
                async let stop = supervisor.stop("a/clock.1@v2")
                async let other = supervisor.stop("a/web.1")
                await launcher.process(1, of: "a/clock.1@v2")?.receives(15)
                await launcher.process(1, of: "a/web.1")?.receives(15)
                await clock.sleepers(atLeast: 2)
                clock.advance(by: .seconds(30))
                _ = await (stop, other)
            }
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>) func `starts, stops, crashes and restarts at random`(seed: UInt64)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let launcher = ScriptedLauncher { _, number in number % 3 == 0 ? .exits(.exited(1)) : .runs }
            let names: [InstanceID] = ["a", "b", "c"]
            let running: @Sendable () -> Int = {
                names.flatMap { launcher.processes(of: $0) }.filter { !$0.hasEnded }.count
            }
            try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                await withTaskGroup(of: Int.self) { group in
                    for worker in 0..<4 as Range<UInt64> {
                        group.addTask {
                            var random = SplitMix(state: seed &* 4 &+ worker)
                            var most = 0
                            for _ in 0..<30 {
                                let name = names[Int(random.next() % 3)]
                                switch random.next() % 4 {
                                case 0: await supervisor.stop(name)
                                case 1: try? await supervisor.restart(name)
                                default: _ = try? await supervisor.start(Self.spec(name))
                                }
                                most = max(most, running())
                            }
                            return most
                        }
                    }
                    for await most in group { #expect(most <= 1) }
                }
                #expect(names.flatMap { launcher.processes(of: $0) }.count > 2)
            }
        }
    }

    @Test func `a worker with an hour of grace is in nobody's way`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let launcher = ScriptedLauncher(clock: clock) { request, _ in
                request.id.rawValue.contains("worker") ? .ignoresSignals : .runs
            }
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                var worker = ScriptedTests.spec("worker@v1")
                worker.stop.grace = .seconds(3600)
                _ = try await supervisor.start(worker)
                _ = try await supervisor.start(ScriptedTests.spec("web@v1"))
                async let end = supervisor.stop("worker@v1")
                await launcher.process(1, of: "worker@v1")?.receives(15)
                // The clock stands still meanwhile.
                _ = try await supervisor.start(ScriptedTests.spec("web@v2"))
                try await supervisor.waitUntilReady("web@v2")
                #expect(await supervisor.stop("web@v1") == .signalled(15))
                #expect(supervisor.status(of: "worker@v1")?.state == .stopping)
                await clock.sleepers(atLeast: 1)
                clock.advance(by: .seconds(3600))
                #expect(await end == .signalled(9))
            }
        }
    }
}
