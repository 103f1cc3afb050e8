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
///
/// While it boots, its startup check is asked first, if there is one, and then its readiness. While it ends, its command runs
/// before the signal, if there is one. The recycling policy ends what is ready or unready.
struct InstanceMachine {
    /// Why a process is being ended.
    enum Ending: Equatable {
        case byItself
        case unhealthy(SupervisorEvent.Cause)
        /// To be started again at once, because somebody or something wants it.
        case restart(SupervisorEvent.Cause)
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

    enum Timer: Hashable { case boot, grace, backoff, stable, recycle }
    enum Role: Hashable, CaseIterable { case startup, readiness, liveness }

    enum Event: Equatable {
        case start
        case spawned(pid: Int32, port: Int?)
        case spawnFailed(String)
        /// A former host's process was taken over.
        case adopted(pid: Int32, port: Int?, wasReady: Bool, hasStartedUp: Bool = false, age: Duration = .zero)
        /// A former host's process had ended, or had been waiting for its restart.
        case lost(wasRunning: Bool)
        case probed(Role, ProbeReport)
        case memory(MemoryWatch.Finding)
        /// A command is over; nil: it did well.
        case ran(LifecycleCommand.Moment, failure: String?)
        case exited(ExitStatus)
        case treeGone
        case timer(Timer)
        case restart
        case stop
    }

    enum Action: Equatable {
        case spawn
        case startProbing(Role, booting: Bool)
        /// Nothing more is to be asked of this kind.
        case endProbing(Role)
        case stopProbing
        case run(LifecycleCommand.Moment)
        /// End the command, if it runs, and hear no more of it.
        case endCommand(LifecycleCommand.Moment)
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
        case emit(SupervisorEvent.Kind, SupervisorEvent.Cause)
        /// Whoever waits for readiness waits in vain.
        case failBoot(String, exit: ExitStatus?, probe: ProbeReport?)
        /// The very first start has failed.
        case failStart(String)
        case finish(ExitStatus?)
    }

    let spec: InstanceSpec
    var randomness: Randomness
    /// Lengthens a wait before a restart, for the sake of others.
    let pace: @Sendable (Duration) -> Duration
    var state = State.idle
    var port: Int?
    var restarts: Int
    /// Restarts in a row.
    var attempts: Int
    var lastExit: ExitStatus?
    /// Why it ended the last time, in words.
    var lastEnd: String?
    var lastProbe: ProbeReport?
    var wasReady = false
    var hasRun = false
    var hasStartedUp = false
    /// Why the process that is spawned is.
    var startCause = SupervisorEvent.Cause.request
    /// How old a process is that was taken over.
    var adoptedAge = Duration.zero
    /// The process is being ended and its command runs before the signal.
    var awaitsPreStop = false
    var successes = 0
    var readinessFailures = 0
    var livenessFailures = 0
    /// A stop that came while the process was being spawned.
    var stopAfterSpawn = false

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
        case .adopted(let pid, let port, let wasReady, let hasStartedUp, let age):
            self.adopted(pid, port, wasReady: wasReady, hasStartedUp: hasStartedUp, age: age)
        case .lost(let wasRunning): self.lost(wasRunning)
        case .probed(let role, let report): self.probed(role, report)
        case .memory(let finding): self.found(finding)
        case .ran(let moment, let failure): self.ran(moment, failure)
        case .exited(let status): self.exited(status)
        case .treeGone: self.treeGone()
        case .timer(let timer): self.fired(timer)
        case .restart: self.restart()
        case .stop: self.stop()
        }
    }
}
