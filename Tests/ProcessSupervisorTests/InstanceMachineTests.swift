import Testing

@testable import ProcessSupervisor

/// The machine's whole table: in which state, what event, which actions and which state after.
@Suite struct InstanceMachineTests {
    typealias Event = InstanceMachine.Event
    typealias Action = InstanceMachine.Action
    typealias State = InstanceMachine.State

    static let good = ProbeReport(succeeded: true, detail: "GET / answered 200")
    static let bad = ProbeReport(succeeded: false, detail: "GET / answered 500")
    static let late = SupervisorEvent.Cause.bootTimeout(
        "not ready within 60 s (boot timeout); last probe: GET / answered 500")
    static let excess = MemoryExcess(limitBytes: 2 << 20, usedBytes: 2 << 20)
    static let backoff = BackoffPolicy(initial: .seconds(8), ceiling: .seconds(60), stableAfter: .seconds(30))
    /// Full jitter with the greatest number is the bound itself.
    static let most = Randomness { .max }

    static func machine(
        readiness: Bool = true, liveness: Bool = false, restart: RestartPolicy = .always(backoff: Self.backoff),
        change: (inout InstanceSpec) -> Void = { _ in }
    ) -> InstanceMachine {
        var ready = Probe.http(path: "/")
        ready.failureThreshold = 2
        var spec = InstanceSpec(
            id: "a/web.1", process: ProcessSpec(arguments: ["x"], workingDirectory: "/"), port: .allocate,
            readiness: readiness ? ready : nil, bootTimeout: .seconds(60), liveness: liveness ? ready : nil,
            restart: restart, stop: StopPolicy(signal: 15, grace: .seconds(30)))
        change(&spec)
        return InstanceMachine(spec: spec, randomness: Self.most)
    }

    /// Brings a machine along a path and returns what the last event of it did.
    static func last(_ machine: inout InstanceMachine, _ events: [Event]) -> [Action] {
        var actions: [Action] = []
        for event in events { actions = machine.handle(event) }
        return actions
    }

    static let boot: [Event] = [.start, .spawned(pid: 7, port: 20000)]
    static let ready: [Event] = boot + [.probed(.readiness, good)]
    static let unready: [Event] = ready + [.probed(.readiness, bad), .probed(.readiness, bad)]
    static let stopping: [Event] = ready + [.stop]
    static let backingOff: [Event] = ready + [.exited(.exited(1)), .treeGone]

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var path: [Event]
        var event: Event
        var actions: [Action]
        var state: State
        var testDescription: String { self.name }

        init(_ name: String, _ path: [Event], _ event: Event, _ actions: [Action], _ state: State) {
            self.name = name
            self.path = path
            self.event = event
            self.actions = actions
            self.state = state
        }
    }

    static let rows: [Row] = [
        Row("a start spawns", [], .start, [.spawn], .spawning),
        Row(
            "a spawned process boots", [.start], .spawned(pid: 7, port: 20000),
            [
                .emit(.started(pid: 7, port: 20000), .request), .schedule(.boot, .seconds(60)),
                .startProbing(.readiness, booting: true),
            ], .booting),
        Row(
            "a first start that fails is over", [.start], .spawnFailed("cannot execute x"),
            [.failStart("cannot execute x"), .finish(nil)], .finished),
        Row("a bad probe while booting changes nothing", boot, .probed(.readiness, bad), [], .booting),
        Row(
            "a good probe makes it ready", boot, .probed(.readiness, good),
            [
                .cancel(.boot), .record, .emit(.ready(port: 20000), .probe(good)),
                .startProbing(.readiness, booting: false),
                .schedule(.stable, .seconds(30)),
            ], .ready),
        Row(
            "the boot timeout names the last answer", boot + [.probed(.readiness, bad)], .timer(.boot),
            [
                .failBoot(
                    "not ready within 60 s (boot timeout); last probe: GET / answered 500", exit: nil, probe: bad),
                .stopProbing, .cancel(.boot), .cancel(.stable), .emit(.ending, late), .signal(15),
                .schedule(.grace, .seconds(30)),
            ],
            .ending(.unhealthy(late))),
        Row(
            "an exit while booting ends the rest of the tree", boot, .exited(.exited(3)),
            [.stopProbing, .cancel(.boot), .cancel(.stable), .kill, .awaitTree], .clearing(.byItself, .exited(3))),
        Row(
            "an exit while booting fails the boot, and is retried", boot + [.exited(.exited(3))], .treeGone,
            [
                .cancel(.grace), .release,
                .failBoot("ended before it was ready: exit status 3", exit: .exited(3), probe: nil),
                .emit(.exited(.exited(3), willRestartAfter: .seconds(8)), .exit(.exited(3))), .record,
                .schedule(.backoff, .seconds(8)),
            ], .backingOff),
        Row("one bad probe is forgiven", ready, .probed(.readiness, bad), [], .ready),
        Row(
            "as many as the threshold are not", ready + [.probed(.readiness, bad)], .probed(.readiness, bad),
            [.emit(.unready, .probe(bad))], .unready),
        Row(
            "a good probe makes it ready again", unready, .probed(.readiness, good),
            [.emit(.ready(port: 20000), .probe(good)), .startProbing(.readiness, booting: false)], .ready),
        Row(
            "an exit takes it out of service at once", ready, .exited(.signalled(9)),
            [
                .emit(.unready, .exit(.signalled(9))), .stopProbing, .cancel(.boot), .cancel(.stable), .kill,
                .awaitTree,
            ], .clearing(.byItself, .signalled(9))),
        Row("the backoff's end spawns", backingOff, .timer(.backoff), [.spawn], .spawning),
        Row(
            "a restart that cannot be spawned is retried later", backingOff + [.timer(.backoff)],
            .spawnFailed("no memory"),
            [
                .failBoot("no memory", exit: nil, probe: nil),
                .emit(.exited(.unknown, willRestartAfter: .seconds(16)), .launchFailure("no memory")), .record,
                .schedule(.backoff, .seconds(16)),
            ], .backingOff),
        Row("a stable time forgives", ready, .timer(.stable), [.record], .ready),
        Row(
            "a stop is recorded before it is told", ready, .stop,
            [
                .stopProbing, .cancel(.boot), .cancel(.stable), .record, .emit(.stopping, .request), .signal(15),
                .schedule(.grace, .seconds(30)),
            ], .ending(.stop)),
        Row("a second stop changes nothing", stopping, .stop, [], .ending(.stop)),
        Row("the grace's end kills", stopping, .timer(.grace), [.kill], .ending(.stop)),
        Row(
            "descendants have the rest of the grace", stopping, .exited(.signalled(15)), [.awaitTree],
            .clearing(.stop, .signalled(15))),
        Row(
            "the grace ends for descendants too", stopping + [.exited(.signalled(15))], .timer(.grace), [.kill],
            .clearing(.stop, .signalled(15))),
        Row(
            "it is stopped when its tree is gone", stopping + [.exited(.signalled(15))], .treeGone,
            [.cancel(.grace), .release, .emit(.stopped(.signalled(15)), .request), .finish(.signalled(15))], .finished),
        Row(
            "a stop while it waits for a restart is done at once", backingOff, .stop,
            [.cancel(.backoff), .emit(.stopped(.exited(1)), .request), .finish(.exited(1))], .finished),
        Row("a stop while it is spawned waits for it", [.start], .stop, [], .spawning),
        Row(
            "and then ends it", [.start, .stop], .spawned(pid: 7, port: nil),
            [
                .emit(.started(pid: 7, port: nil), .request), .stopProbing, .cancel(.boot), .cancel(.stable), .record,
                .emit(.stopping, .request), .signal(15), .schedule(.grace, .seconds(30)),
            ], .ending(.stop)),
        Row(
            "much memory is told and nothing more", ready, .memory(.high(usedBytes: 9, softLimitBytes: 8)),
            [.emit(.memoryHigh(usedBytes: 9, softLimitBytes: 8), .memoryUse)], .ready),
        Row(
            "who has lost a process to the kernel is killed without grace", ready,
            .memory(.killed(excess)),
            [
                .stopProbing, .cancel(.boot), .cancel(.stable),
                .emit(.unready, .outOfMemory(excess)), .emit(.ending, .outOfMemory(excess)), .kill,
                .schedule(.grace, .seconds(30)),
            ], .ending(.unhealthy(.outOfMemory(excess)))),
        Row(
            "but not who is being stopped anyway", stopping,
            .memory(.killed(excess)), [], .ending(.stop)),
        Row(
            "a restart takes it out of service first", ready, .restart,
            [
                .stopProbing, .cancel(.boot), .cancel(.stable), .emit(.unready, .request), .emit(.ending, .request),
                .signal(15),
                .schedule(.grace, .seconds(30)),
            ], .ending(.restart(.request))),
        Row(
            "a restart has no backoff", ready + [.restart, .exited(.signalled(15))], .treeGone,
            [
                .cancel(.grace), .release, .emit(.exited(.signalled(15), willRestartAfter: .zero), .request), .spawn,
            ], .spawning),
        Row("a restart ends the backoff", backingOff, .restart, [.cancel(.backoff), .spawn], .spawning),
        Row(
            "a stop wins over a restart", ready + [.restart], .stop, [.record, .emit(.stopping, .request)],
            .ending(.stop)),
        Row("a restart does not take back a stop", stopping, .restart, [], .ending(.stop)),
        Row(
            "an adopted instance that was ready is asked first", [],
            .adopted(pid: 7, port: 20000, wasReady: true, age: .zero),
            [
                .emit(.adopted(pid: 7, port: 20000), .formerHost), .startProbing(.readiness, booting: true),
                .schedule(.stable, .seconds(30)),
            ], .unready),
        Row(
            "an adopted instance that was not ready boots", [],
            .adopted(pid: 7, port: 20000, wasReady: false, age: .zero),
            [
                .emit(.adopted(pid: 7, port: 20000), .formerHost), .schedule(.boot, .seconds(60)),
                .startProbing(.readiness, booting: true),
            ], .booting),
        Row(
            "an instance that ended without a host is restarted", [], .lost(wasRunning: true),
            [
                .emit(.exited(.unknown, willRestartAfter: .seconds(8)), .exit(.unknown)), .record,
                .schedule(.backoff, .seconds(8)),
            ],
            .backingOff),
        Row("a late answer is not news", stopping, .probed(.readiness, bad), [], .ending(.stop)),
        Row("a late timer is not news", ready, .timer(.grace), [], .ready),
    ]

    @Test(arguments: rows)
    func `answers an event`(row: Row) {
        var machine = Self.machine()
        _ = Self.last(&machine, row.path)
        let actions = machine.handle(row.event)
        #expect(actions == row.actions)
        #expect(machine.state == row.state)
    }

    @Test func `a worker is ready when it has started`() {
        var machine = Self.machine(readiness: false)
        let actions = Self.last(&machine, Self.boot)
        #expect(actions.contains(.emit(.ready(port: 20000), .noProbe)))
        #expect(machine.publicState == .ready)
    }

    @Test func `liveness ends an instance that does not work any more`() {
        var machine = Self.machine(liveness: true)
        _ = Self.last(&machine, Self.ready + [.probed(.liveness, Self.bad)])
        let actions = machine.handle(.probed(.liveness, Self.bad))
        let reason = SupervisorEvent.Cause.liveness(
            "liveness probe failed 2 times, the last time: GET / answered 500")
        #expect(actions.contains(.emit(.unready, reason)))
        #expect(actions.contains(.emit(.ending, reason)))
        #expect(actions.contains(.signal(15)))
        #expect(machine.state == .ending(.unhealthy(reason)))
    }

    @Test(arguments: [
        (RestartPolicy.never, ExitStatus.exited(0), State.down(failed: false), InstanceState.stopped),
        (.never, .exited(1), .down(failed: true), .failed),
        (.onFailure(backoff: backoff), .exited(0), .down(failed: false), .stopped),
        (.onFailure(backoff: backoff), .exited(1), .backingOff, .backingOff),
        (.onFailure(backoff: backoff), .unknown, .backingOff, .backingOff),
        (.always(backoff: backoff), .exited(0), .backingOff, .backingOff),
    ])
    func `follows the restart policy`(
        policy: RestartPolicy, exit: ExitStatus, state: State, visible: InstanceState
    ) {
        var machine = Self.machine(restart: policy)
        _ = Self.last(&machine, Self.ready + [.exited(exit), .treeGone])
        #expect(machine.state == state)
        #expect(machine.publicState == visible)
    }

    @Test func `gives up after as many restarts in a row as allowed`() {
        var machine = Self.machine(restart: .always(backoff: BackoffPolicy(maxAttempts: 2)))
        _ = machine.handle(.start)
        for _ in 0..<2 {
            _ = Self.last(&machine, [.spawned(pid: 7, port: nil), .exited(.exited(1)), .treeGone])
            #expect(machine.state == .backingOff)
            _ = machine.handle(.timer(.backoff))
        }
        let actions = Self.last(&machine, [.spawned(pid: 7, port: nil), .exited(.exited(1)), .treeGone])
        #expect(
            actions.contains(.emit(.gaveUp(restarts: 2), .exit(.exited(1)))))
        #expect(machine.state == .down(failed: true))
        #expect(machine.restarts == 2)
    }

    /// Random events in random order: whatever comes, certain things hold.
    @Test(arguments: 0..<200)
    func `keeps its promises whatever comes`(seed: UInt64) {
        var random = SplitMix(state: seed)
        var machine = Self.machine(
            readiness: seed % 3 != 0, liveness: seed % 2 == 0,
            restart: .always(backoff: BackoffPolicy(maxAttempts: seed % 5 == 0 ? 3 : nil)))
        var model = Model()
        for _ in 0..<300 {
            let event = model.event(using: &random)
            model.apply(event, machine.handle(event))
            if machine.state == .finished { break }
        }
        if machine.state != .finished { model.apply(.stop, machine.handle(.stop)) }
        while machine.state != .finished {
            let event = model.nextStepToTheEnd()
            model.apply(event, machine.handle(event))
        }
        #expect(!model.runs, "a finished instance has no process")
        #expect(model.problems == [])
    }
}

/// The world around a machine, as far as promises are about it.
private struct Model {
    var started = false
    var spawning = false
    var runs = false
    var mainEnded = false
    var problems: [String] = []

    mutating func event(using random: inout SplitMix) -> InstanceMachine.Event {
        let report = ProbeReport(succeeded: random.next() % 2 == 0, detail: "x")
        if !self.started { return .start }
        if self.spawning { return random.next() % 4 == 0 ? .spawnFailed("x") : .spawned(pid: 7, port: 1) }
        var events: [InstanceMachine.Event] = [
            .probed(.readiness, report), .probed(.liveness, report), .timer(.boot), .timer(.grace), .timer(.backoff),
            .timer(.stable),
        ]
        if random.next() % 8 == 0 { events += [.restart] }
        if random.next() % 64 == 0 { events += [.stop] }
        if self.runs { events += [self.mainEnded ? .treeGone : .exited(.exited(1))] }
        return events[Int(random.next() % UInt64(events.count))]
    }

    func nextStepToTheEnd() -> InstanceMachine.Event {
        if self.spawning { return .spawnFailed("x") }
        return self.mainEnded ? .treeGone : .exited(.exited(0))
    }

    mutating func apply(_ event: InstanceMachine.Event, _ actions: [InstanceMachine.Action]) {
        switch event {
        case .start: self.started = true
        case .spawned: (self.spawning, self.runs, self.mainEnded) = (false, true, false)
        case .spawnFailed: self.spawning = false
        case .exited: self.mainEnded = true
        default: break
        }
        for action in actions {
            switch action {
            case .spawn:
                if self.runs || self.spawning { self.problems.append("spawned beside another process") }
                self.spawning = true
            case .release:
                if !self.mainEnded { self.problems.append("released a process that runs") }
                self.runs = false
                self.mainEnded = false
            case .signal, .kill:
                if !self.runs { self.problems.append("signalled nobody") }
            case .finish:
                if self.runs { self.problems.append("finished with a process") }
            default: break
            }
        }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
