@testable import ProcessSupervisor

/// One instance in a world without processes, clocks or threads: its machine, and a model of everything around it that
/// crashes, hangs, ignores signals, answers badly and is late, as chance has it. The same seed is the same week.
///
/// Each step checks what must always hold; what does not is kept in ``violations``.
struct InstanceModel {
    typealias Event = InstanceMachine.Event

    private struct Due { var time: Duration, order: Int, event: Event, isCurrent: (InstanceModel) -> Bool }

    /// The process that there is, if any.
    private struct Process { var number: Int, isRunning = true, hasStragglers: Bool, heeds: Bool, isAwaited = false }

    private(set) var machine: InstanceMachine
    private(set) var violations: [String] = []
    private(set) var starts = 0
    private(set) var ends = 0
    private(set) var isFinished = false
    private(set) var now = Duration.zero
    private var random: SplitMix
    private var queue: [Due] = []
    private var order = 0
    private var timers: [InstanceMachine.Timer: Int] = [:]
    private var probing: [InstanceMachine.Role: Int] = [:]
    private var process: Process?
    private var isStopping = false
    private var isServing = false
    private var isSignalled = false
    private var commands: [LifecycleCommand.Moment: Int] = [:]

    init(spec: InstanceSpec, seed: UInt64) {
        self.random = SplitMix(state: seed)
        let source = SharedSplitMix(seed: seed ^ 0xabcd)
        self.machine = InstanceMachine(spec: spec, randomness: Randomness { source.next() })
    }

    /// Lives for so long, is asked to stop, and ends.
    mutating func live(for duration: Duration) {
        self.handle(.start)
        self.later(duration, .stop)
        var next = Duration.seconds(3600)
        while next < duration {
            self.later(next, .restart)
            next += self.chance(upTo: .seconds(40_000))
        }
        while !self.isFinished, let due = self.pop() {
            self.now = due.time
            if due.isCurrent(self) { self.handle(due.event) }
            if self.order > 2_000_000 { return self.violations.append("it does not come to an end") }
        }
        if !self.isFinished { self.violations.append("nothing is due any more, and it has not finished") }
        if self.process != nil { self.violations.append("it has finished, and a process is left") }
        if self.starts != self.ends { self.violations.append("\(self.starts) starts, \(self.ends) ends") }
        if !self.timers.isEmpty { self.violations.append("it has finished, and timers run: \(self.timers.keys)") }
    }

    private mutating func handle(_ event: Event) {
        if event == .stop { self.isStopping = true }
        for action in self.machine.handle(event) { self.perform(action) }
        let isReady = self.machine.state == .ready
        self.require(isReady == self.isServing, "what it told is not its state: \(self.machine.state)")
        self.require(!isReady || self.process?.isRunning == true, "ready without a process")
        self.require(!isReady || !self.isSignalled, "ready after its signal")
    }

    private mutating func perform(_ action: InstanceMachine.Action) {
        switch action {
        case .spawn: self.spawn()
        case .startProbing(let role, _): self.probe(role)
        case .endProbing(let role): self.probing[role] = nil
        case .stopProbing: self.probing = [:]
        case .run(let moment): self.run(moment)
        case .endCommand(let moment): self.commands[moment] = nil
        case .schedule(let timer, let wait):
            self.require(wait >= .zero, "a timer for the past")
            if timer == .backoff { self.require(wait <= .seconds(60), "a wait beyond the ceiling: \(wait)") }
            let token = self.newToken()
            self.timers[timer] = token
            self.later(wait, .timer(timer)) { $0.timers[timer] == token }
        case .cancel(let timer): self.timers[timer] = nil
        case .signal:
            self.require(self.commands[.preStop] == nil, "a signal before its command is over")
            if self.process?.heeds == true { self.end(.exited(0), after: self.chance(upTo: .seconds(5))) }
            self.isSignalled = true
        case .kill: self.kill()
        case .awaitTree:
            self.process?.isAwaited = true
            self.tellIfGone()
        case .release: self.release()
        case .emit(let kind, _): self.note(kind)
        case .finish: self.isFinished = true
        case .record, .forget, .failBoot, .failStart: break
        }
    }

    // MARK: Its process

    private mutating func spawn() {
        self.require(self.process == nil, "a second process beside the first")
        self.require(!self.isStopping, "a start after the stop")
        self.timers[.backoff] = nil
        if self.starts > 0, self.happens(1, in: 20) { return self.later(.milliseconds(1), .spawnFailed("no memory")) }
        self.starts += 1
        let process = Process(
            number: self.starts, hasStragglers: self.happens(1, in: 4), heeds: !self.happens(1, in: 4))
        self.process = process
        self.later(.milliseconds(1), .spawned(pid: Int32(self.starts), port: 1))
        // From crashes at once to hours of peace.
        let longest: Duration = self.happens(1, in: 3) ? .seconds(2) : .seconds(20_000)
        self.end(.exited(self.happens(1, in: 2) ? 0 : 1), after: .milliseconds(2) + self.chance(upTo: longest))
        if self.happens(1, in: 5) {
            let finding = MemoryWatch.Finding.killed(MemoryExcess(limitBytes: 1, usedBytes: 1))
            self.later(self.chance(upTo: .seconds(5000)), .memory(finding)) { $0.process?.number == process.number }
        }
    }

    private mutating func end(_ status: ExitStatus, after wait: Duration) {
        guard let number = self.process?.number else { return }
        self.later(wait, .exited(status)) { $0.process?.number == number && $0.process?.isRunning == true }
    }

    private mutating func kill() {
        self.process?.hasStragglers = false
        if self.process?.isRunning == true { self.end(.signalled(9), after: .milliseconds(3)) }
        self.tellIfGone()
    }

    private mutating func tellIfGone() {
        guard let process, process.isAwaited, !process.isRunning, !process.hasStragglers else { return }
        self.process?.isAwaited = false
        self.later(.milliseconds(1), .treeGone) { $0.process?.number == process.number }
    }

    private mutating func release() {
        self.require(self.process?.isRunning == false, "given back while it runs")
        self.require(self.process?.hasStragglers == false, "given back while others of it run")
        self.process = nil
        self.isSignalled = false
        self.ends += 1
    }

    private mutating func probe(_ role: InstanceMachine.Role) {
        let token = self.newToken()
        self.probing[role] = token
        self.askLater(role, token)
    }

    private mutating func askLater(_ role: InstanceMachine.Role, _ token: Int) {
        let isGood = !self.happens(1, in: 6)
        let wait = Duration.milliseconds(10) + self.chance(upTo: .seconds(600))
        self.later(wait, .probed(role, ProbeReport(succeeded: isGood, detail: isGood ? "good" : "bad"))) {
            $0.probing[role] == token
        }
    }

    private mutating func run(_ moment: LifecycleCommand.Moment) {
        self.require(self.process != nil, "a command without a process")
        let token = self.newToken()
        self.commands[moment] = token
        // Some take longer than the grace.
        let wait = self.chance(upTo: .seconds(50))
        self.later(wait, .ran(moment, failure: self.happens(1, in: 3) ? "exit status 1" : nil)) {
            $0.commands[moment] == token
        }
    }

    // MARK: What it tells

    private mutating func note(_ kind: SupervisorEvent.Kind) {
        switch kind {
        case .ready:
            self.require(!self.isStopping, "ready after its stop signal")
            self.isServing = true
        case .unready: self.isServing = false
        case .stopping:
            self.require(self.isStopping, "stopping without having been asked")
            self.isServing = false
        case .exited(_, let wait?): self.require(wait <= .seconds(60), "a wait beyond the ceiling: \(wait)")
        case .ending: self.require(!self.isServing, "ended while it serves")
        case .started, .exited, .gaveUp, .stopped, .adopted, .memoryHigh, .outputDropped, .commandFailed: break
        }
    }

    private mutating func require(_ condition: Bool, _ what: String) {
        if !condition { self.violations.append("at \(self.now), \(self.machine.state): \(what)") }
    }

    // MARK: Time and chance

    private mutating func later(
        _ wait: Duration, _ event: Event, if isCurrent: @escaping (InstanceModel) -> Bool = { _ in true }
    ) {
        self.order += 1
        let due = Due(time: self.now + wait, order: self.order, event: event, isCurrent: isCurrent)
        let index = self.queue.firstIndex { ($0.time, $0.order) < (due.time, due.order) } ?? self.queue.endIndex
        self.queue.insert(due, at: index)
    }

    /// The next event; what it does to the world by itself is done here, before the machine hears of it.
    private mutating func pop() -> Due? {
        guard let due = self.queue.popLast() else { return nil }
        self.now = max(self.now, due.time)
        guard due.isCurrent(self) else { return due }
        switch due.event {
        case .exited:
            self.process?.isRunning = false
            var ended = due
            ended.isCurrent = { _ in true }
            return ended
        case .probed(let role, _):
            if let token = self.probing[role] { self.askLater(role, token) }
        case .ran(let moment, _):
            self.commands[moment] = nil
            var over = due
            over.isCurrent = { _ in true }
            return over
        case .timer(let timer):
            self.timers[timer] = nil
            var fired = due
            fired.isCurrent = { _ in true }
            return fired
        default: break
        }
        return due
    }

    private mutating func newToken() -> Int {
        self.order += 1
        return self.order
    }

    private mutating func happens(_ times: UInt64, in all: UInt64) -> Bool { self.random.next() % all < times }

    private mutating func chance(upTo longest: Duration) -> Duration {
        longest * (Double(self.random.next() % 1_000_000) / 1_000_000)
    }
}
