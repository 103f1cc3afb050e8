import Synchronization
import SystemPackage

extension Supervisor {
    /// Starts an instance and returns when its process is executed.
    ///
    /// Throws `alreadyRunning` (also for a second of a ``InstanceSpec/singleton``), `launchFailed` with the system's reason, `portUnavailable`, `tooManyInstances`,
    /// `invalidSpec` or `notRunning`. An instance that has ended for good gives its name away.
    public func start(_ spec: InstanceSpec) async throws(SupervisorError) -> InstanceStatus {
        try spec.validate()
        try await self.adopted.value()
        if let former = self.driver(spec.id), former.isDown { _ = await self.stop(spec.id) }
        let driver = self.driver(of: spec)
        try self.add(driver, opening: .start)
        do throws(SupervisorError) {
            // Milliseconds; a caller that is cancelled meanwhile still learns whether there is a process.
            return try await driver.opened.valueInAnyCase()
        } catch {
            _ = try? await driver.ended.valueInAnyCase()  // and the name is free again
            throw error
        }
    }

    /// Returns when the instance is ready; at once when it is.
    ///
    /// Throws `bootFailed` at once when its process ends or is too slow before that, with the exit status, the last
    /// probe's answer and the last lines; the restart policy goes on meanwhile. Throws `notFound`, `stopped`, or
    /// `cancelled`.
    public func waitUntilReady(_ id: InstanceID) async throws(SupervisorError) {
        guard let driver = self.driver(id) else { throw Self.notFound(id) }
        try await driver.waitUntilReady()
    }

    /// Ends an instance and forgets it: its signal to every process, its grace, SIGKILL to whatever is left.
    ///
    /// Returns when nothing of it is left, with the status of its main process; nil when there was no such instance.
    /// Concurrent calls share one stop. The cancellation of the calling task changes nothing.
    @discardableResult
    public func stop(_ id: InstanceID) async -> ExitStatus? {
        guard let driver = self.driver(id) else { return nil }
        driver.send(.stop)
        return (try? await driver.ended.valueInAnyCase()) ?? nil
    }

    /// Ends the instance's process, if it has one, and starts a new one at once. Returns when that is executed.
    ///
    /// Throws `notFound`, `stopped`, `bootFailed` with the system's reason when the new one cannot be executed, or
    /// `cancelled`, which does not take the restart back.
    public func restart(_ id: InstanceID) async throws(SupervisorError) {
        guard let driver = self.driver(id) else { throw Self.notFound(id) }
        let promise = Promise<Void>()
        driver.send(.restart(promise))
        try await promise.value()
    }

    /// The instance as it is now; nil when there is none.
    public func status(of id: InstanceID) -> InstanceStatus? { self.driver(id)?.status }

    /// What an instance uses at this moment; nil when there is none, it has no process, or the launcher does not count.
    public func usage(of id: InstanceID) -> InstanceUsage? { self.driver(id)?.usage() }

    /// All instances as they are now, sorted by name.
    public func statuses() -> [InstanceStatus] {
        self.state.withLock { Array($0.instances.values) }.map(\.status)
            .sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// The specification that an instance was started with; nil when there is none.
    public func spec(of id: InstanceID) -> InstanceSpec? { self.driver(id)?.spec }

    /// The last lines that an instance wrote, the oldest first.
    public func recentOutput(of id: InstanceID) -> [String] {
        self.driver(id)?.recentOutput(self.configuration.recentLines) ?? []
    }

    private func driver(_ id: InstanceID) -> InstanceDriver? { self.state.withLock { $0.instances[id] } }

    static func notFound(_ id: InstanceID) -> SupervisorError {
        SupervisorError(code: .notFound, message: "there is no instance \(id)")
    }

    /// A new instance, which goes out of the table by itself.
    func driver(of spec: InstanceSpec) -> InstanceDriver {
        InstanceDriver(spec: spec, surroundings: self.surroundings) { driver in
            self.state.withLock { state in
                if state.instances[driver.spec.id] === driver { state.instances[driver.spec.id] = nil }
            }
        }
    }

    /// Puts an instance into the table and starts its life, which lasts until it is stopped; `run()` waits for that.
    func add(_ driver: InstanceDriver, opening: InstanceRun.Opening) throws(SupervisorError) {
        let id = driver.spec.id
        let error = self.state.withLock { state -> SupervisorError? in
            if let error = self.refusal(of: id, in: state) { return error }
            if let error = Self.refusal(ofSingleton: driver.spec, in: state) { return error }
            state.instances[id] = driver
            return nil
        }
        if let error { throw error }
        driver.open(opening)
    }

    /// Why this one would be a second where one is allowed. Also one that is down counts: it can be restarted.
    private static func refusal(ofSingleton spec: InstanceSpec, in state: State) -> SupervisorError? {
        guard let singleton = spec.singleton,
            let other = state.instances.values.first(where: { $0.spec.singleton == singleton })
        else { return nil }
        return SupervisorError(
            code: .alreadyRunning,
            message:
                "cannot start \(spec.id): \(other.spec.id) is \(other.status.state.rawValue), and of \"\(singleton)\""
                + " there may be one (singleton); stop that and wait for its end first")
    }

    /// Why nothing of that name can be started now.
    func refusal(of id: InstanceID, in state: State) -> SupervisorError? {
        guard state.phase == .running || state.phase == .adopting else {
            return SupervisorError(code: .notRunning, message: "cannot start \(id): the supervisor has ended")
        }
        if let present = state.instances[id] {
            let isStopping = present.status.state == .stopping
            return SupervisorError(
                code: .alreadyRunning,
                message: isStopping
                    ? "\(id) is being stopped; wait for that before starting it" : "\(id) is already running")
        }
        if state.oneOffs[id] != nil {
            return SupervisorError(code: .alreadyRunning, message: "\(id) is already running, as a one-off")
        }
        if state.instances.count + state.oneOffs.count >= self.configuration.maxInstances {
            return SupervisorError(
                code: .tooManyInstances,
                message: "cannot start \(id): \(self.configuration.maxInstances) instances run (maxInstances)")
        }
        return nil
    }
}
