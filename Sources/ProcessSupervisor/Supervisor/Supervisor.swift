public import Logging
public import ServiceLifecycle
import Synchronization
import SystemPackage

/// Keeps instances running as declared: starts, watches, restarts and stops them, and takes over what a former host left.
///
/// `run()` must be active for anything else to work; calls that come before it has looked for a former host's
/// instances wait until it has.
public final class Supervisor: Service, Sendable {
    enum Phase { case idle, adopting, running, stopping, ended }

    struct State {
        var phase = Phase.idle
        var instances: [InstanceID: InstanceDriver] = [:]
        var oneOffs: [InstanceID: OneOffControl] = [:]
        var leavesRunning = false
    }

    let configuration: Configuration
    let surroundings: InstanceSurroundings
    let state: Mutex<State>
    let adopted = Promise<Void>()
    private let hub: EventHub

    /// Makes a supervisor. Nothing happens before ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: Where it keeps its state, and its limits.
    ///   - launcher: Starts processes.
    ///   - output: Gets the instances' lines.
    ///   - clock: For timeouts, backoff and the pauses between probes.
    ///   - randomness: For ports, backoff and the marks of starts.
    ///   - logger: `info` at most, errors that concern the supervisor itself, and warnings of the launcher about this machine.
    public init(
        configuration: Configuration,
        launcher: any Launcher,
        output: any OutputHandler,
        clock: any Clock<Duration> = ContinuousClock(),
        randomness: Randomness = .system,
        logger: Logger
    ) {
        self.configuration = configuration
        let hub = EventHub(limit: configuration.eventBuffer)
        self.hub = hub
        self.state = Mutex(State())
        self.surroundings = InstanceSurroundings(
            configuration: configuration, launcher: launcher, output: output, clock: clock, randomness: randomness,
            logger: logger, publish: { hub.publish($0) })
    }

    /// Takes over what a former host left, supervises until graceful shutdown or cancellation, and then ends all
    /// instances or leaves them running, as configured. Throws `stateDirectory` when that is in use or not usable.
    public func run() async throws {
        let mayRun = self.state.withLock { state in
            defer { if state.phase == .idle { state.phase = .adopting } }
            return state.phase == .idle
        }
        guard mayRun else {
            throw SupervisorError(code: .notRunning, message: "run() of a supervisor can be called once")
        }
        defer { self.hub.finish() }
        let lock: StateLock
        do throws(SupervisorError) {
            try RecordStore.makeDirectory(self.configuration.stateDirectory)
            lock = try await StateLock.acquire(in: self.configuration.stateDirectory)
            for warning in try self.surroundings.launcher.prepare() {
                self.surroundings.logger.warning("\(warning)")
            }
            self.logEnforcements()
            try await self.adoptAll()
        } catch {
            self.state.withLock { $0.phase = .ended }
            await self.endAll(.leaveRunning)
            self.adopted.fulfil(.failure(error))
            throw error
        }
        self.state.withLock { $0.phase = .running }
        self.adopted.fulfil(.success(()))
        await self.untilShutdown()
        self.state.withLock { $0.phase = .stopping }
        await self.endAll(self.state.withLock { $0.leavesRunning } ? .leaveRunning : self.configuration.onShutdown)
        // What is still to be collected of those that have just ended: the next host may be long in coming.
        await self.surroundings.launcher.sweep()
        self.state.withLock { $0.phase = .ended }
        withExtendedLifetime(lock) {}
    }

    /// Returns when the instances of a former host have been taken over. Throws what made ``run()`` fail.
    public func waitUntilAdopted() async throws {
        try await self.adopted.value()
    }

    /// When ``run()`` ends, the instances run on, whatever the configuration says: another supervisor takes them over.
    public func leaveRunning() { self.state.withLock { $0.leavesRunning = true } }

    /// Every event from now on. A subscriber that is too slow loses the oldest ones. Ends with ``run()``.
    public func events() -> AsyncStream<SupervisorEvent> { self.hub.subscribe() }

    private func untilShutdown() async {
        await withTaskGroup(of: Void.self) { group in
            let launcher = self.surroundings.launcher
            if let interval = launcher.sweepInterval {
                // The launcher's own housekeeping: by real time, whatever clock the instances live by.
                group.addTask {
                    while (try? await ContinuousClock().sleep(for: interval)) != nil { await launcher.sweep() }
                }
            }
            if launcher.enforcements.contains(where: { $0.limit == .memory && $0.scope == .instance }) {
                // One loop for all: a thousand timers would wake the machine a thousand times.
                group.addTask {
                    let clock = self.surroundings.clock
                    let interval = max(self.configuration.usageInterval, .milliseconds(10))
                    while (try? await clock.sleep(for: interval)) != nil { self.lookAtUsages() }
                }
            }
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }

    /// Once, so that an operator knows which limits hold for whom, and why no better ones.
    private func logEnforcements() {
        let enforcements = self.surroundings.launcher.enforcements
        guard !enforcements.isEmpty else { return }
        let metadata = enforcements.map {
            ($0.limit.rawValue, Logger.MetadataValue("\($0.scope.rawValue): \($0.means)"))
        }
        self.surroundings.logger.info(
            "what holds the limits of instances, and for whom",
            metadata: Logger.Metadata(metadata, uniquingKeysWith: { first, _ in first }))
    }

    private func lookAtUsages() {
        for driver in self.state.withLock({ Array($0.instances.values) }) where driver.wantsLooks {
            driver.lookAtUsage()
        }
    }

    /// Ends or abandons everything. Works in a cancelled task too: none of it is a child of it.
    private func endAll(_ behaviour: Configuration.ShutdownBehaviour) async {
        let (drivers, oneOffs) = self.state.withLock { (Array($0.instances.values), Array($0.oneOffs.values)) }
        for driver in drivers { driver.send(behaviour == .stopAll ? .stop : .abandon) }
        for oneOff in oneOffs { oneOff.end(.cancelled) }
        for driver in drivers { _ = try? await driver.ended.valueInAnyCase() }
        for oneOff in oneOffs { await oneOff.ended() }
    }
}
