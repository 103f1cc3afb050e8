import Testing

@testable import ProcessSupervisor

/// The machine's table for what not every instance has: a startup check, commands, recycling.
@Suite struct InstanceLifeTests {
    typealias Base = InstanceMachineTests
    typealias Event = InstanceMachine.Event
    typealias Action = InstanceMachine.Action

    static let port = 20000
    static let boot: [Event] = [.start, .spawned(pid: 7, port: port)]
    static let started: [Event] = boot + [.probed(.startup, Base.good)]
    static let ready: [Event] = started + [.probed(.readiness, Base.good)]

    /// What the last of these events led to.
    static func last(
        _ events: [Event], readiness: Bool = true, liveness: Bool = false,
        change: (inout InstanceSpec) -> Void
    ) -> (actions: [Action], state: InstanceMachine.State) {
        var machine = Base.machine(readiness: readiness, liveness: liveness, change: change)
        let actions = Base.last(&machine, events)
        return (actions, machine.state)
    }

    // MARK: Startup

    @Test func `readiness and liveness are asked once it has started up`() {
        let startup: (inout InstanceSpec) -> Void = { $0.startup = .probe(.tcp) }
        let begun = Self.last(Self.boot, liveness: true, change: startup)
        #expect(begun.actions.last == .startProbing(.startup, booting: true))
        #expect(!begun.actions.contains(.startProbing(.readiness, booting: true)))
        let started = Self.last(Self.started, liveness: true, change: startup)
        #expect(
            started.actions == [
                .endProbing(.startup), .startProbing(.liveness, booting: false), .record,
                .startProbing(.readiness, booting: true),
            ])
        #expect(started.state == .booting)
        let ready = Self.last(Self.ready, liveness: true, change: startup)
        #expect(ready.actions.contains(.emit(.ready(port: Self.port), .probe(Base.good))))
        #expect(!ready.actions.contains(.startProbing(.liveness, booting: false)), "it is asked already")
    }

    @Test func `without a readiness probe it is ready when it has started up`() {
        let ready = Self.last(Self.started, readiness: false) { $0.startup = .notification(descriptor: 3) }
        #expect(ready.actions.contains(.emit(.ready(port: Self.port), .probe(Base.good))))
        #expect(ready.state == .ready)
    }

    @Test func `a dead one is ended though it was never ready`() {
        let bad = Event.probed(.liveness, Base.bad)
        let dead = Self.last(Self.started + [bad, bad], liveness: true) { $0.startup = .probe(.tcp) }
        let cause = SupervisorEvent.Cause.liveness("liveness probe failed 2 times, the last time: GET / answered 500")
        #expect(dead.actions.first == .failBoot(cause.description, exit: nil, probe: Base.bad))
        #expect(dead.state == .ending(.unhealthy(cause)))
    }

    @Test func `what was ready under a former host need not start up again`() {
        let adopted = Self.last([.adopted(pid: 7, port: Self.port, wasReady: true, age: .zero)], liveness: true) {
            $0.startup = .notification(descriptor: 3)
        }
        #expect(adopted.state == .unready)
        #expect(adopted.actions.contains(.startProbing(.readiness, booting: true)))
        #expect(adopted.actions.contains(.startProbing(.liveness, booting: false)))
        let without = Self.last(
            [.adopted(pid: 7, port: Self.port, wasReady: true, age: .zero)], readiness: false
        ) { $0.startup = .notification(descriptor: 3) }
        #expect(without.state == .ready)
    }

    @Test func `what had started up under a former host, and was not ready, is not asked for that again`() {
        let adopted = Self.last(
            [.adopted(pid: 7, port: Self.port, wasReady: false, hasStartedUp: true)], liveness: true
        ) { $0.startup = .notification(descriptor: 3) }
        #expect(
            adopted.actions == [
                .emit(.adopted(pid: 7, port: Self.port), .formerHost), .schedule(.boot, .seconds(60)),
                .startProbing(.readiness, booting: true), .startProbing(.liveness, booting: false),
            ])
        #expect(adopted.state == .booting)
    }

    // MARK: Commands

    static let preStop: @Sendable (inout InstanceSpec) -> Void = {
        $0.preStop = LifecycleCommand(["drain"])
        $0.postStart = LifecycleCommand(["announce"])
    }
    static let steady: [Event] = boot + [.probed(.readiness, Base.good)]

    @Test func `the command after the start runs beside it, and its failure is told`() {
        let begun = Self.last(Self.boot, change: Self.preStop)
        #expect(begun.actions[1] == .run(.postStart))
        let failed = Self.last(Self.boot + [.ran(.postStart, failure: "announce: exit status 1")], change: Self.preStop)
        #expect(
            failed.actions == [.emit(.commandFailed(.postStart), .command("announce: exit status 1"))])
        #expect(failed.state == .booting)
    }

    @Test func `the signal waits for the command before it, and the grace does not`() {
        let stopping = Self.last(Self.steady + [.stop], change: Self.preStop)
        #expect(
            stopping.actions == [
                .stopProbing, .cancel(.boot), .cancel(.stable), .endCommand(.postStart), .record,
                .emit(.stopping, .request), .run(.preStop), .schedule(.grace, .seconds(30)),
            ])
        let over = Self.last(Self.steady + [.stop, .ran(.preStop, failure: nil)], change: Self.preStop)
        #expect(over.actions == [.signal(15)])
        let failed = Self.last(
            Self.steady + [.stop, .ran(.preStop, failure: "drain: exit status 1")], change: Self.preStop)
        #expect(
            failed.actions == [.emit(.commandFailed(.preStop), .command("drain: exit status 1")), .signal(15)])
        let late = Self.last(Self.steady + [.stop, .timer(.grace)], change: Self.preStop)
        #expect(
            late.actions == [
                .endCommand(.preStop),
                .emit(.commandFailed(.preStop), .command("did not end within the grace of 30 s")), .kill,
            ])
    }

    @Test func `who ends before the signal leaves it to the others`() {
        let ended = Self.last(Self.steady + [.stop, .exited(.exited(0))], change: Self.preStop)
        #expect(ended.actions == [.endCommand(.preStop), .signal(15), .awaitTree])
        let late = Self.last(
            Self.steady + [.stop, .exited(.exited(0)), .ran(.preStop, failure: nil)], change: Self.preStop)
        #expect(late.actions == [])
    }

    @Test func `who is killed for its memory while it starts up has failed to`() {
        let killed = Self.last(Self.boot + [.memory(.killed(Base.excess))]) { _ in }
        let reason = "\(SupervisorEvent.Cause.outOfMemory(Base.excess))"
        #expect(killed.actions.first == .failBoot(reason, exit: nil, probe: nil))
        #expect(killed.actions.contains(.kill))
    }

    @Test func `no command runs before the end of who was killed for its memory or crashed`() {
        let killed = Self.last(Self.steady + [.memory(.killed(Base.excess))], change: Self.preStop)
        #expect(killed.actions.contains(.kill))
        #expect(!killed.actions.contains(.run(.preStop)))
        let crashed = Self.last(Self.steady + [.exited(.exited(1))], change: Self.preStop)
        #expect(!crashed.actions.contains(.run(.preStop)))
    }

    // MARK: Recycling

    static let aging: @Sendable (inout InstanceSpec) -> Void = {
        $0.recycling = RecyclePolicy(maxAge: .seconds(100), jitter: 0.5, memoryBytes: 1 << 30)
    }

    @Test func `an old one is replaced later by at most the jitter, without a backoff`() {
        let ready = Self.last(Self.steady, change: Self.aging)
        #expect(ready.actions.contains(.schedule(.recycle, .seconds(150))), "the greatest number is the whole jitter")
        let cause = SupervisorEvent.Cause.recycling("has run for 100 s and more")
        let old = Self.last(Self.steady + [.timer(.recycle)], change: Self.aging)
        #expect(
            old.actions == [
                .stopProbing, .cancel(.boot), .cancel(.stable), .cancel(.recycle), .emit(.unready, cause),
                .emit(.ending, cause), .signal(15), .schedule(.grace, .seconds(30)),
            ])
        let ended = Self.last(
            Self.steady + [.timer(.recycle), .exited(.signalled(15)), .treeGone], change: Self.aging)
        #expect(
            ended.actions == [
                .cancel(.grace), .release, .emit(.exited(.signalled(15), willRestartAfter: .zero), cause), .spawn,
            ])
    }

    @Test func `the time under a former host counts`() {
        let adopted = Self.last(
            [.adopted(pid: 7, port: Self.port, wasReady: true, age: .seconds(120))], change: Self.aging)
        #expect(adopted.actions.contains(.schedule(.recycle, .seconds(30))))
    }

    @Test func `a large one is replaced once it was ready`() {
        let finding = Event.memory(.recyclable(usedBytes: 3 << 29, limitBytes: 1 << 30))
        #expect(Self.last(Self.boot + [finding], change: Self.aging).actions == [])
        let large = Self.last(Self.steady + [finding], change: Self.aging)
        let cause = SupervisorEvent.Cause.recycling("uses 1536 MB of memory, and may use 1024 MB")
        #expect(large.state == .ending(.restart(cause)))
        var watch = MemoryWatch()
        let usage = InstanceUsage(memoryBytes: 3 << 29)
        for _ in 0..<2 {
            let found = watch.look(at: usage, limits: ResourceLimits(), recycledBeyond: 1 << 30)
            #expect(found == .recyclable(usedBytes: 3 << 29, limitBytes: 1 << 30))
        }
        let none = watch.look(at: usage, limits: ResourceLimits(), recycledBeyond: 2 << 30)
        #expect(none == nil)
    }
}
