public import ProcessSupervisor
import Synchronization

/// A launcher without processes: each start goes as its script says.
///
/// It keeps the promises of `Launcher` within the test: processes outlive the supervisor that started them, and another
/// supervisor with the same launcher adopts them.
public final class ScriptedLauncher: Launcher {
    /// How one start goes.
    public struct Script: Sendable {
        /// The reason why nothing is executed; nil: it is.
        public var failure: String?
        /// How long the start takes.
        public var delay: Duration
        /// How it ends by itself; nil: it does not.
        public var exit: ExitStatus?
        /// How long after its start it ends.
        public var exitAfter: Duration
        /// Whether it ends on signals other than SIGKILL.
        public var heedsSignals: Bool

        /// Writes a script. Without arguments: it starts at once, and runs until it is signalled.
        public init(
            failure: String? = nil, delay: Duration = .zero, exit: ExitStatus? = nil, exitAfter: Duration = .zero,
            heedsSignals: Bool = true
        ) {
            self.failure = failure
            self.delay = delay
            self.exit = exit
            self.exitAfter = exitAfter
            self.heedsSignals = heedsSignals
        }

        /// Runs until it is signalled.
        public static var runs: Script { Script() }
        /// Runs until it is killed.
        public static var ignoresSignals: Script { Script(heedsSignals: false) }
        /// Ends by itself.
        public static func exits(_ status: ExitStatus, after delay: Duration = .zero) -> Script {
            Script(exit: status, exitAfter: delay)
        }
        /// Is not executed.
        public static func fails(_ reason: String) -> Script { Script(failure: reason) }
    }

    private let clock: any Clock<Duration>
    private let script: @Sendable (LaunchRequest, Int) -> Script
    private let launches = Moments<ScriptedProcess>()
    private let attempts = Mutex<[InstanceID: Int]>([:])

    /// Makes a launcher.
    ///
    /// - Parameters:
    ///   - clock: For the delays in the scripts.
    ///   - script: Answers each request; the number counts the starts of that instance from 1.
    public init(
        clock: any Clock<Duration> = ContinuousClock(),
        script: @escaping @Sendable (LaunchRequest, Int) -> Script = { _, _ in .runs }
    ) {
        self.clock = clock
        self.script = script
    }

    /// Starts a scripted process.
    public func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess {
        let attempt = self.attempts.withLock { attempts in
            attempts[request.id, default: 0] += 1
            return attempts[request.id, default: 0]
        }
        let script = self.script(request, attempt)
        if script.delay > .zero { try? await self.clock.sleep(for: script.delay) }
        if let failure = script.failure { throw SupervisorError(code: .launchFailed, message: failure) }
        let process = ScriptedProcess(
            pid: Int32(100_000 + self.launches.elements.count), request: request, script: script, clock: self.clock)
        self.launches.append(process)
        return process.launched
    }

    /// Takes over a scripted process that still runs.
    public func adopt(_ record: InstanceRecord) async throws(SupervisorError) -> LaunchedProcess? {
        self.launches.elements.last { $0.request.startID == record.startID && !$0.hasEnded }?.launched
    }

    /// The processes of an instance so far, ended ones included.
    public func processes(of id: InstanceID) -> [ScriptedProcess] {
        self.launches.elements.filter { $0.request.id == id }
    }

    /// The n-th process of an instance (from 1), once it is started; nil when the calling task is cancelled before.
    public func process(_ number: Int, of id: InstanceID) async -> ScriptedProcess? {
        await self.launches.wait { launches in launches.count { $0.request.id == id } >= number }
        let processes = self.processes(of: id)
        return processes.indices.contains(number - 1) ? processes[number - 1] : nil
    }
}

/// A process that is none.
public final class ScriptedProcess: ProcessHandle {
    /// Its number.
    public let pid: Int32
    /// What was asked for.
    public let request: LaunchRequest
    private let script: ScriptedLauncher.Script
    private let clock: any Clock<Duration>
    private let exits = Moments<ExitStatus>()
    private let received = Moments<Int32>()

    init(pid: Int32, request: LaunchRequest, script: ScriptedLauncher.Script, clock: any Clock<Duration>) {
        self.pid = pid
        self.request = request
        self.script = script
        self.clock = clock
    }

    var launched: LaunchedProcess { LaunchedProcess(pid: self.pid, startTime: UInt64(self.pid), handle: self) }

    /// Whether it has ended.
    public var hasEnded: Bool { !self.exits.elements.isEmpty }
    /// The signals that it got, SIGKILL included.
    public var signals: [Int32] { self.received.elements }
    /// Returns when it has got a signal, or when the calling task is cancelled.
    public func receives(_ signal: Int32) async { await self.received.wait { $0.contains(signal) } }

    /// Ends it.
    public func end(_ status: ExitStatus) { self.exits.append(status) }

    /// Returns when it has ended by its script, by a signal or by ``end(_:)``.
    public func waitForExit() async -> ExitStatus {
        if let exit = self.script.exit {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    if (try? await self.clock.sleep(for: self.script.exitAfter)) != nil { self.end(exit) }
                }
                group.addTask { await self.exits.wait { !$0.isEmpty } }
                await group.next()
                group.cancelAll()
            }
        }
        await self.exits.wait { !$0.isEmpty }
        return self.exits.elements.first ?? .unknown
    }

    /// Notes the signal, and ends if the script heeds signals.
    public func signal(_ signal: Int32) async {
        self.received.append(signal)
        if self.script.heedsSignals || signal == 9 { self.end(.signalled(signal)) }
    }

    /// Returns when it has ended: it has no descendants.
    public func waitUntilTreeIsGone() async { await self.exits.wait { !$0.isEmpty } }

    /// Notes signal 9, and ends.
    public func killTree() async {
        if self.hasEnded { return }
        await self.signal(9)
    }

    /// Has nothing to give back.
    public func release() {}
}
