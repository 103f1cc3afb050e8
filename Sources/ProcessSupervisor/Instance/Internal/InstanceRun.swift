import CProcessLauncher
import DequeModule
import Logging
import SystemPackage

/// Does what the machine of one instance decides, one message at a time: ``InstanceDriver`` sees to that. Between two
/// messages it is at rest and has no task.
actor InstanceRun {
    enum Job: Hashable, Sendable {
        case exit, tree, kill, signal
        case timer(InstanceMachine.Timer)
        case probing(InstanceMachine.Role)
        case command(LifecycleCommand.Moment)
    }

    /// How the run begins.
    enum Opening: Sendable {
        case start
        /// A former host's record, and its process if that still runs.
        indirect case adopt(InstanceRecord, LaunchedProcess?)
    }

    let driver: InstanceDriver
    var machine: InstanceMachine
    var jobs = Jobs<Job>()
    var process: LaunchedProcess?
    var pump: OutputPump?
    /// Where a process tells that it has started up.
    var notification: Descriptor?
    var port: Int?
    /// What the last try to spawn failed by.
    var launchError: SupervisorError?
    var startID = ""
    var startedAt = Timestamp.now
    var isAdopted = false
    private var finalStatus: ExitStatus?
    private var finished = false
    private var restartReplies: [Promise<Void>] = []
    /// Events that an action has at once, before any message.
    var pending: Deque<InstanceMachine.Event> = []

    nonisolated var spec: InstanceSpec { self.driver.spec }
    nonisolated var surroundings: InstanceSurroundings { self.driver.surroundings }

    /// - Parameter former: What a former host has recorded of it.
    init(driver: InstanceDriver, former: InstanceRecord?) {
        self.driver = driver
        let pacing = driver.surroundings.pacing
        self.machine = InstanceMachine(
            spec: driver.spec, randomness: driver.surroundings.randomness, restarts: former?.restarts ?? 0,
            attempts: former?.attempts ?? 0, pace: { pacing.delay($0) })
        self.machine.lastExit = former?.lastExit
        self.machine.lastEnd = former?.lastEnd
    }

    /// What an instance has come to.
    enum Outcome: Sendable {
        case goesOn
        /// It was stopped and is gone, or abandoned.
        case ended(ExitStatus?)
    }

    func receive(_ message: InstanceDriver.Message) async -> Outcome {
        switch message {
        case .open(.start): await self.handle(.start)
        case .open(.adopt(let record, let process)): await self.adopt(record, process)
        case .found(let event, let token): if self.jobs.isCurrent(token) { await self.handle(event) }
        case .ended(let token):
            if self.jobs.isCurrent(token), let handle = self.process?.handle {
                await self.handle(.exited(await handle.waitForExit()))
            }
        case .memory(let finding, let startID):
            if self.startID == startID { await self.handle(.memory(finding)) }
        case .stop: await self.handle(.stop)
        case .restart(let promise): await self.restart(promise)
        case .abandon: self.finished = true
        }
        guard self.finished else { return .goesOn }
        await self.end()
        return .ended(self.finalStatus)
    }

    private func adopt(_ record: InstanceRecord, _ process: LaunchedProcess?) async {
        self.startID = record.startID
        self.port = record.port
        if let date = record.startedAt { self.startedAt = Timestamp(date: date) }
        if let process {
            self.isAdopted = true
            self.take(process)
            self.openOutput(self.surroundings.records.path(of: .output, self.spec.id))
            if let port { self.surroundings.ports.withAllocator { $0.reserve(port) } }
            self.notification = self.openNotification(of: record)
            await self.handle(
                .adopted(
                    pid: process.pid, port: record.port, wasReady: record.wasReady,
                    hasStartedUp: record.hasStartedUp ?? false, age: self.startedAt.age))
            if record.phase == .starting { await self.perform(.record) }
        } else {
            self.port = nil
            await self.handle(.lost(wasRunning: record.phase != .backingOff))
        }
        if record.phase == .stopping { await self.handle(.stop) }
        self.driver.opened.fulfil(.success(self.driver.status))
    }

    private func restart(_ promise: Promise<Void>) async {
        switch self.machine.state {
        case .ending(.stop), .clearing(.stop, _), .finished:
            promise.fulfil(.failure(self.stoppedError))
            return
        default:
            self.restartReplies.append(promise)
            self.driver.becameUnready()
            await self.handle(.restart)
        }
    }

    func handle(_ event: InstanceMachine.Event) async {
        self.pending.append(event)
        while let event = self.pending.popFirst() {
            // Nobody writes any more: what is in the FIFO belongs before the news of the end.
            if event == .treeGone { await self.closeOutput() }
            var actions = self.machine.handle(event)
            if case .spawned = event {
                // At once, with all that is known of it already: not again for a process that is ready as soon as it runs.
                await self.record()
                actions.removeAll { $0 == .record }
            }
            self.publishStatus()
            // One look at all processes serves both; in its place, for what comes before is to be told before.
            let endsAll = actions.contains(.kill) && actions.contains(.awaitTree)
            for action in actions {
                switch action {
                case .kill where endsAll: self.startOnProcess(.tree, finding: .treeGone) { await $0.killTree() }
                case .awaitTree where endsAll: break
                default: await self.perform(action)
                }
            }
            self.publishStatus()
        }
    }

    private func publishStatus() {
        let machine = self.machine
        let process = self.process
        let port = self.port
        let startedAt = self.startedAt
        let isAdopted = self.isAdopted
        self.driver.update { status in
            status.state = machine.publicState
            status.pid = process?.pid
            status.port = process == nil ? nil : port
            status.host = port == nil ? nil : process?.host
            status.startedAt = process == nil ? nil : startedAt.date
            status.restarts = machine.restarts
            status.lastExit = machine.lastExit
            status.lastEnd = machine.lastEnd
            status.lastProbe = machine.lastProbe
            status.adopted = process != nil && isAdopted
        }
    }

    private func perform(_ action: InstanceMachine.Action) async {
        switch action {
        case .spawn: await self.spawn()
        case .startProbing(let role, let booting): self.startProbing(role, booting: booting)
        case .endProbing(let role): self.jobs.cancel(.probing(role))
        case .stopProbing:
            for role in InstanceMachine.Role.allCases { self.jobs.cancel(.probing(role)) }
        case .run(let moment): self.run(moment)
        case .endCommand(let moment): self.jobs.cancel(.command(moment))
        case .schedule(let timer, let duration): self.schedule(timer, duration)
        case .cancel(let timer): self.jobs.cancel(.timer(timer))
        case .signal(let signal): self.startOnProcess(.signal) { await $0.signal(signal) }
        case .kill: self.startOnProcess(.kill) { await $0.killTree() }
        case .awaitTree: self.startOnProcess(.tree, finding: .treeGone) { await $0.waitUntilTreeIsGone() }
        case .release: await self.release()
        case .record: await self.record()
        case .forget: await self.forget()
        case .emit(let kind, let cause): self.emit(kind, cause)
        case .failBoot(let reason, let exit, let probe): self.failBoot(reason, exit: exit, probe: probe)
        case .failStart(let reason):
            let error = self.launchError ?? SupervisorError(code: .launchFailed, message: reason)
            self.driver.opened.fulfil(.failure(error))
            self.driver.failReadiness(error)
        case .finish(let status):
            self.finished = true
            self.finalStatus = status
            await self.forget()
        }
    }

    private func emit(_ kind: SupervisorEvent.Kind, _ cause: SupervisorEvent.Cause) {
        switch kind {
        case .ready: self.driver.becameReady()
        case .unready: self.driver.becameUnready()
        case .started:
            for promise in self.restartReplies { promise.fulfil(.success(())) }
            self.restartReplies = []
            self.driver.opened.fulfil(.success(self.driver.status))
        case .exited(let status, let delay):
            // A failure of the boot stays to be seen until the instance is ready.
            guard self.machine.wasReady else { break }
            self.driver.becameUnready()
            if delay == nil {
                self.driver.failReadiness(
                    self.bootError("has ended (\(status)) and is not restarted", exit: status, probe: nil))
            }
        case .stopping, .stopped: self.driver.failReadiness(self.stoppedError)
        case .ending, .gaveUp, .adopted, .memoryHigh, .outputDropped, .commandFailed: break
        }
        self.driver.emit(kind, cause)
    }

    private func failBoot(_ reason: String, exit: ExitStatus?, probe: ProbeReport?) {
        let error = self.bootError(reason, exit: exit, probe: probe)
        self.driver.failReadiness(error)
        for promise in self.restartReplies { promise.fulfil(.failure(error)) }
        self.restartReplies = []
    }

    private func bootError(_ reason: String, exit: ExitStatus?, probe: ProbeReport?) -> SupervisorError {
        SupervisorError(
            code: .bootFailed, message: "\(self.spec.id) \(reason)", exit: exit, probe: probe,
            lastLines: self.driver.recentOutput(20))
    }

    private var stoppedError: SupervisorError {
        SupervisorError(code: .stopped, message: "\(self.spec.id) was stopped", exit: self.machine.lastExit)
    }

    /// Lets go of everything. Whoever still waits is answered.
    private func end() async {
        self.jobs.cancelAll()
        await self.jobs.running.waitForNone()
        await self.pump?.stop()
        // When it is abandoned: the rest of a line that has begun belongs to the next host, what is read to this one.
        self.pump?.flushPartial()
        self.pump = nil
        for promise in self.restartReplies { promise.fulfil(.failure(self.stoppedError)) }
        self.driver.opened.fulfil(.failure(self.stoppedError))
        self.driver.failReadiness(self.stoppedError)
    }
}
