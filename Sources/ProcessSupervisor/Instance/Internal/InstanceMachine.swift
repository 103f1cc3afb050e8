/// The life of one instance, as decisions: events in, actions out.
///
/// ```
///            spawned              probe ok              probe bad
/// spawning ─────────▶ booting ───────────────▶ ready ◀──────────────▶ unready
///    ▲                   │  boot timeout          │  liveness, stop, restart │
///    │ backoff           ▼                        ▼                          ▼
/// backingOff ◀── clearing ◀───── main process ended ─────────────── ending (signal, grace, kill)
///                   │  (the rest of the tree ends)
///                   └──▶ down (no restart) · finished (stopped)
/// ```
struct InstanceMachine {
    /// Why a process is being ended.
    enum Ending: Equatable {
        case byItself
        case unhealthy(String)
        case restart
        case stop
    }

    enum State: Equatable {
        case idle
        case spawning
        case booting
        case ready
        case unready
        /// It was signalled; its main process still runs.
        case ending(Ending)
        /// Its main process has ended; the rest of its tree has to.
        case clearing(Ending, ExitStatus)
        case backingOff
        case down(failed: Bool)
        case finished
    }

    enum Timer: Hashable { case boot, grace, backoff, stable }
    enum Role: Hashable { case readiness, liveness }

    enum Event: Equatable {
        case start
        case spawned(pid: Int32, port: Int?)
        case spawnFailed(String)
        /// A former host's process was taken over.
        case adopted(pid: Int32, port: Int?, wasReady: Bool)
        /// A former host's process had ended, or had been waiting for its restart.
        case lost(wasRunning: Bool)
        case probed(Role, ProbeReport)
        case memory(MemoryWatch.Finding)
        case exited(ExitStatus)
        case treeGone
        case timer(Timer)
        case restart
        case stop
    }

    enum Action: Equatable {
        case spawn
        case startProbing(Role, booting: Bool)
        case stopProbing
        case schedule(Timer, Duration)
        case cancel(Timer)
        /// To every process of the tree.
        case signal(Int32)
        /// SIGKILL to every process of the tree, until none is left.
        case kill
        /// Report `treeGone` when none is left.
        case awaitTree
        /// Give process number and port back.
        case release
        /// Write down how far the instance is.
        case record
        /// Nothing to take over after a crash of the host any more.
        case forget
        case emit(SupervisorEvent.Kind)
        /// Whoever waits for readiness waits in vain.
        case failBoot(String, exit: ExitStatus?, probe: ProbeReport?)
        /// The very first start has failed.
        case failStart(String)
        case finish(ExitStatus?)
    }

    let spec: InstanceSpec
    private var randomness: Randomness
    /// Lengthens a wait before a restart, for the sake of others.
    private let pace: @Sendable (Duration) -> Duration
    private(set) var state = State.idle
    private(set) var port: Int?
    private(set) var restarts: Int
    /// Restarts in a row.
    private(set) var attempts: Int
    private(set) var lastExit: ExitStatus?
    private(set) var lastProbe: ProbeReport?
    private(set) var wasReady = false
    private var hasRun = false
    private var successes = 0
    private var readinessFailures = 0
    private var livenessFailures = 0
    /// A stop that came while the process was being spawned.
    private var stopAfterSpawn = false

    init(
        spec: InstanceSpec, randomness: Randomness, restarts: Int = 0, attempts: Int = 0,
        pace: @escaping @Sendable (Duration) -> Duration = { $0 }
    ) {
        self.spec = spec
        self.randomness = randomness
        self.pace = pace
        self.restarts = restarts
        self.attempts = attempts
    }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .start: self.start()
        case .spawned(let pid, let port): self.spawned(pid, port)
        case .spawnFailed(let reason): self.spawnFailed(reason)
        case .adopted(let pid, let port, let wasReady): self.adopted(pid, port, wasReady)
        case .lost(let wasRunning): self.lost(wasRunning)
        case .probed(let role, let report): self.probed(role, report)
        case .memory(let finding): self.found(finding)
        case .exited(let status): self.exited(status)
        case .treeGone: self.treeGone()
        case .timer(let timer): self.fired(timer)
        case .restart: self.restart()
        case .stop: self.stop()
        }
    }

    // MARK: Beginning

    private mutating func start() -> [Action] {
        guard self.state == .idle else { return [] }
        self.state = .spawning
        return [.spawn]
    }

    private mutating func spawned(_ pid: Int32, _ port: Int?) -> [Action] {
        guard self.state == .spawning else { return [] }
        self.hasRun = true
        let started = Action.emit(.started(pid: pid, port: port))
        guard self.stopAfterSpawn else { return [started] + self.boot(port) }
        // It is not told to be ready first, even if nothing would have to be asked: nobody may be sent to it.
        self.beginBoot(port)
        return [started] + self.stop()
    }

    private mutating func beginBoot(_ port: Int?) {
        self.port = port
        self.wasReady = false
        self.resetProbes()
        self.state = .booting
    }

    private mutating func boot(_ port: Int?) -> [Action] {
        self.beginBoot(port)
        guard self.spec.readiness != nil else { return self.becomeReady() }
        return [.schedule(.boot, self.spec.bootTimeout), .startProbing(.readiness, booting: true)]
    }

    private mutating func adopted(_ pid: Int32, _ port: Int?, _ wasReady: Bool) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        let actions = [Action.emit(.adopted(pid: pid, port: port))]
        guard wasReady, self.spec.readiness != nil else { return actions + self.boot(port) }
        // It served before: no boot timeout may end it now. It counts as ready when a probe has said so.
        self.port = port
        self.wasReady = true
        self.resetProbes()
        self.state = .unready
        return actions + [.startProbing(.readiness, booting: true)] + self.steadyJobs()
    }

    private mutating func lost(_ wasRunning: Bool) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        // A wait for a restart that the former host began is begun again: how much of it is over nobody knows.
        return self.afterEnd(by: .byItself, .unknown, isNews: wasRunning)
    }

    private mutating func spawnFailed(_ reason: String) -> [Action] {
        guard self.state == .spawning else { return [] }
        if self.stopAfterSpawn {
            self.state = .finished
            return [.emit(.stopped(self.lastExit)), .finish(self.lastExit)]
        }
        guard self.hasRun else {
            self.state = .finished
            return [.failStart(reason), .finish(nil)]
        }
        self.wasReady = false
        return [.failBoot(reason, exit: nil, probe: nil)] + self.afterEnd(by: .unhealthy(reason), .unknown)
    }

    // MARK: Running

    private mutating func becomeReady() -> [Action] {
        let isFirst = !self.wasReady
        self.state = .ready
        self.wasReady = true
        self.readinessFailures = 0
        var actions: [Action] = []
        if isFirst { actions += [.cancel(.boot), .record] }
        actions.append(.emit(.ready(port: self.port)))
        if self.spec.readiness != nil { actions.append(.startProbing(.readiness, booting: false)) }
        if isFirst { actions += self.steadyJobs() }
        return actions
    }

    private func steadyJobs() -> [Action] {
        var actions: [Action] = []
        switch self.spec.restart {
        case .never: break
        case .always(let backoff), .onFailure(let backoff): actions.append(.schedule(.stable, backoff.stableAfter))
        }
        if self.spec.liveness != nil { actions.append(.startProbing(.liveness, booting: false)) }
        return actions
    }

    private mutating func probed(_ role: Role, _ report: ProbeReport) -> [Action] {
        switch (role, self.state) {
        case (.readiness, .booting), (.readiness, .unready):
            self.lastProbe = report
            self.successes = report.succeeded ? self.successes + 1 : 0
            guard self.successes >= (self.spec.readiness?.successThreshold ?? 1) else { return [] }
            return self.becomeReady()
        case (.readiness, .ready):
            self.lastProbe = report
            self.readinessFailures = report.succeeded ? 0 : self.readinessFailures + 1
            guard self.readinessFailures >= max(self.spec.readiness?.failureThreshold ?? 1, 1) else { return [] }
            self.state = .unready
            self.successes = 0
            return [.emit(.unready(reason: report.detail))]
        case (.liveness, .ready), (.liveness, .unready):
            self.lastProbe = report
            self.livenessFailures = report.succeeded ? 0 : self.livenessFailures + 1
            let threshold = max(self.spec.liveness?.failureThreshold ?? 1, 1)
            guard self.livenessFailures >= threshold else { return [] }
            return self.end(.unhealthy("liveness probe failed \(threshold) times, the last time: \(report.detail)"))
        default:
            return []  // an answer that was on its way when the process was ended
        }
    }

    private mutating func found(_ finding: MemoryWatch.Finding) -> [Action] {
        switch (finding, self.state) {
        case (.high(let used, let soft), .booting), (.high(let used, let soft), .ready),
            (.high(let used, let soft), .unready):
            return [.emit(.memoryHigh(usedBytes: used, softLimitBytes: soft))]
        case (.killed(let excess), .booting), (.killed(let excess), .ready), (.killed(let excess), .unready):
            // Where the kernel kills one process and not the group: an instance with a hole in it is not the one that was
            // started. What is left gets no grace, as it would not have had.
            return self.end(.unhealthy(excess.description)).map { action in
                if case .signal = action { .kill } else { action }
            }
        default:
            return []
        }
    }

    private mutating func fired(_ timer: Timer) -> [Action] {
        switch (timer, self.state) {
        case (.boot, .booting):
            let answer = self.lastProbe.map { "last probe: \($0.detail)" } ?? "no probe was answered"
            let reason = "not ready within \(self.spec.bootTimeout.inSeconds) (boot timeout); \(answer)"
            return [.failBoot(reason, exit: nil, probe: self.lastProbe)] + self.end(.unhealthy(reason))
        case (.grace, .ending), (.grace, .clearing):
            return [.kill]
        case (.backoff, .backingOff):
            self.restarts += 1
            self.state = .spawning
            return [.spawn]
        case (.stable, .ready), (.stable, .unready):
            self.attempts = 0
            return [.record]
        default:
            return []
        }
    }

    // MARK: Ending

    private mutating func end(_ ending: Ending) -> [Action] {
        let wasServing = self.state == .ready
        self.state = .ending(ending)
        var actions: [Action] = [.stopProbing, .cancel(.boot), .cancel(.stable)]
        switch ending {
        case .stop: actions += [.record, .emit(.stopping)]
        case .restart: if wasServing { actions.append(.emit(.unready(reason: "restarting"))) }
        case .unhealthy(let reason): if wasServing { actions.append(.emit(.unready(reason: reason))) }
        case .byItself: break
        }
        return actions + [.signal(self.spec.stop.signal), .schedule(.grace, self.spec.stop.grace)]
    }

    private mutating func exited(_ status: ExitStatus) -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            let wasServing = self.state == .ready
            self.lastExit = status
            self.state = .clearing(.byItself, status)
            // An instance without its main process is over: what is left must not live on beside the next one.
            return (wasServing ? [.emit(.unready(reason: status.description))] : [])
                + [.stopProbing, .cancel(.boot), .cancel(.stable), .kill, .awaitTree]
        case .ending(let ending):
            self.lastExit = status
            self.state = .clearing(ending, status)
            return [.awaitTree]
        default:
            return []
        }
    }

    private mutating func treeGone() -> [Action] {
        guard case .clearing(let ending, let status) = self.state else { return [] }
        var actions: [Action] = [.cancel(.grace), .release]
        if ending == .byItself, !self.wasReady {
            actions.append(.failBoot("ended before it was ready: \(status)", exit: status, probe: self.lastProbe))
        }
        return actions + self.afterEnd(by: ending, status)
    }

    private mutating func afterEnd(by ending: Ending, _ status: ExitStatus, isNews: Bool = true) -> [Action] {
        self.port = nil
        self.lastExit = status
        // What had to be ended has failed, even if it answered the signal with status 0.
        var verdict = status
        switch ending {
        case .stop:
            self.state = .finished
            return [.emit(.stopped(status)), .finish(status)]
        case .restart:
            self.state = .spawning
            return [.emit(.exited(status, willRestartAfter: .zero)), .spawn]
        case .unhealthy: verdict = .unknown
        case .byItself: break
        }
        guard let backoff = self.spec.restart.backoff(after: verdict) else {
            self.state = .down(failed: verdict != .exited(0))
            return [.emit(.exited(status, willRestartAfter: nil)), .forget]
        }
        guard let wanted = backoff.delay(beforeAttempt: self.attempts + 1, using: &self.randomness) else {
            self.state = .down(failed: true)
            let reason = "gave up after \(self.attempts) restarts in a row; the last time: \(status)"
            return [.emit(.exited(status, willRestartAfter: nil)), .emit(.gaveUp(reason: reason)), .forget]
        }
        let delay = self.pace(wanted)
        self.attempts += 1
        self.state = .backingOff
        return (isNews ? [.emit(.exited(status, willRestartAfter: delay))] : [])
            + [.record, .schedule(.backoff, delay)]
    }

    // MARK: Requests

    private mutating func restart() -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            self.attempts = 0
            return self.end(.restart)
        case .ending(.unhealthy):
            self.state = .ending(.restart)
            return []
        case .clearing(.byItself, let status), .clearing(.unhealthy, let status):
            self.state = .clearing(.restart, status)
            return []
        case .backingOff, .down:
            self.attempts = 0
            self.state = .spawning
            return [.cancel(.backoff), .spawn]
        case .idle, .spawning, .ending, .clearing, .finished:
            return []
        }
    }

    private mutating func stop() -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            return self.end(.stop)
        case .ending(let ending):
            if ending == .stop { return [] }
            self.state = .ending(.stop)
            return [.record, .emit(.stopping)]
        case .clearing(let ending, let status):
            if ending == .stop { return [] }
            self.state = .clearing(.stop, status)
            return [.record, .emit(.stopping)]
        case .spawning:
            self.stopAfterSpawn = true
            return []
        case .idle, .backingOff, .down:
            self.state = .finished
            return [.cancel(.backoff), .emit(.stopped(self.lastExit)), .finish(self.lastExit)]
        case .finished:
            return []
        }
    }

    private mutating func resetProbes() {
        self.successes = 0
        self.readinessFailures = 0
        self.livenessFailures = 0
        self.lastProbe = nil
    }
}

extension InstanceMachine {
    /// The state in the public words.
    var publicState: InstanceState {
        switch self.state {
        case .idle, .spawning, .booting: .starting
        case .ready: .ready
        case .unready: .unready
        case .ending(.stop), .clearing(.stop, _): .stopping
        // It is on its way to its next process.
        case .ending, .clearing: self.wasReady ? .unready : .starting
        case .backingOff: .backingOff
        case .down(let failed): failed ? .failed : .stopped
        case .finished: .stopped
        }
    }

    /// The state in the words of the record; nil when nothing is to be found by the next host.
    var recordedPhase: InstanceRecord.Phase? {
        switch self.state {
        case .idle, .spawning: .starting
        case .booting, .ready, .unready: .running
        case .ending(.stop), .clearing(.stop, _): .stopping
        case .ending, .clearing: .running
        case .backingOff: .backingOff
        case .down, .finished: nil
        }
    }
}
