import DequeModule
import Logging
import Synchronization
import SystemPackage

/// What instances need of their supervisor.
final class InstanceSurroundings: Sendable {
    let configuration: Supervisor.Configuration
    let launcher: any Launcher
    let output: any OutputHandler
    let clock: any Clock<Duration>
    let randomness: Randomness
    let records: RecordStore
    let bootID: String
    let ports: Ports
    let pacing: RestartPacing
    let starts: StartGate
    let logger: Logger
    let publish: @Sendable (SupervisorEvent) -> Void

    init(
        configuration: Supervisor.Configuration, launcher: any Launcher, output: any OutputHandler,
        clock: any Clock<Duration>, randomness: Randomness, logger: Logger,
        publish: @escaping @Sendable (SupervisorEvent) -> Void
    ) {
        self.configuration = configuration
        self.launcher = launcher
        self.output = output
        self.clock = clock
        self.randomness = randomness
        self.records = RecordStore(stateDirectory: configuration.stateDirectory)
        self.bootID = Procfs.bootID()
        self.ports = Ports(range: configuration.portRange)
        self.pacing = RestartPacing(perSecond: configuration.restartsPerSecond, clock: clock)
        self.starts = StartGate(limit: configuration.concurrentStarts)
        self.logger = logger
        self.publish = publish
    }
}

/// The supervisor's ports, given out one at a time.
final class Ports: Sendable {
    private let allocator: Mutex<PortAllocator>
    init(range: ClosedRange<Int>) { self.allocator = Mutex(PortAllocator(range: range)) }
    func withAllocator<R: Sendable>(_ body: (inout PortAllocator) -> R) -> R { self.allocator.withLock { body(&$0) } }
}

/// The mailbox and the visible side of one instance; ``InstanceRun`` is what happens behind it.
final class InstanceDriver: Sendable {
    typealias Job = InstanceRun.Job

    enum Message: Sendable {
        /// The first one of all; see ``open(_:)``.
        case open(InstanceRun.Opening)
        /// The process's main process has ended; dropped when it is not the present one any more.
        case ended(by: Jobs<Job>.Token)
        /// What a job found out; dropped when the job is not the present one any more.
        case found(InstanceMachine.Event, by: Jobs<Job>.Token)
        /// What a look at the memory of a start found; dropped when it is not the present one any more.
        case memory(MemoryWatch.Finding, startID: String)
        case stop
        case restart(Promise<Void>)
        /// Let go of the process without touching it.
        case abandon
    }

    /// What has come and was not seen to yet. Whoever sends to an empty one starts a task, which sees to all there is and
    /// ends: an instance of which there is no news has no task.
    private struct Mailbox {
        var run: InstanceRun?
        var messages: Deque<Message> = []
        /// Nothing is seen to before the instance is opened.
        var isDelivering = true
        var isClosed = false
    }

    /// The process that is looked at from outside of the run.
    private struct Watched {
        var handle: any ProcessHandle
        var startID: String
        var memory = MemoryWatch()
    }

    private struct Visible {
        var status: InstanceStatus
        var watched: Watched?
        var recent: RecentLines
        var readiness = Promise<Void>()
    }

    let spec: InstanceSpec
    let surroundings: InstanceSurroundings
    /// The first start, or the adoption.
    let opened = Promise<InstanceStatus>()
    /// The end for good: it was stopped and is gone, or abandoned.
    let ended = Promise<ExitStatus?>()
    private let mailbox = Mutex(Mailbox())
    private let whenEnded: @Sendable (InstanceDriver) -> Void
    private let visible: Mutex<Visible>

    /// - Parameter whenEnded: Called once, before ``ended`` is told.
    init(
        spec: InstanceSpec, surroundings: InstanceSurroundings,
        whenEnded: @escaping @Sendable (InstanceDriver) -> Void
    ) {
        self.spec = spec
        self.surroundings = surroundings
        self.whenEnded = whenEnded
        let status = InstanceStatus(id: spec.id, labels: spec.labels, user: spec.process.user, state: .starting)
        self.visible = Mutex(
            Visible(status: status, recent: RecentLines(limit: surroundings.configuration.recentLines)))
    }

    /// Begins its life, when it is its turn. Called once.
    func open(_ opening: InstanceRun.Opening) {
        self.surroundings.starts.enter {
            self.mailbox.withLock { $0.messages.prepend(.open(opening)) }
            self.deliverSoon()
        }
    }

    func send(_ message: Message) {
        let (isClosed, begins) = self.mailbox.withLock { mailbox in
            if mailbox.isClosed { return (true, false) }
            mailbox.messages.append(message)
            defer { mailbox.isDelivering = true }
            return (false, !mailbox.isDelivering)
        }
        if isClosed { self.refuse(message) }
        if begins { self.deliverSoon() }
    }

    /// Not a child of the sender: what has begun is not cancelled with it. Before what instances write, of which there may be
    /// a flood, and before looks at all processes: who has ended is to be out of the routes.
    private func deliverSoon() { Task(priority: .high) { await self.deliver() } }

    private func deliver() async {
        while let (message, run) = self.next() {
            let outcome = await run.receive(message)
            if case .open = message { self.surroundings.starts.leave() }
            guard case .ended(let status) = outcome else { continue }
            let rest = self.mailbox.withLock { mailbox in
                defer { mailbox = Mailbox(isClosed: true) }
                return mailbox.messages
            }
            for message in rest { self.refuse(message) }
            self.whenEnded(self)
            return self.ended.fulfil(.success(status))
        }
    }

    /// The next message, and who gets it; nil when there is none now.
    private func next() -> (Message, InstanceRun)? {
        self.mailbox.withLock { mailbox in
            guard let message = mailbox.messages.popFirst() else {
                mailbox.isDelivering = false
                // The room for a burst is not kept.
                mailbox.messages = []
                return nil
            }
            if let run = mailbox.run { return (message, run) }
            var former: InstanceRecord?
            if case .open(.adopt(let record, _)) = message { former = record }
            let run = InstanceRun(driver: self, former: former)
            mailbox.run = run
            return (message, run)
        }
    }

    /// Answers what comes too late.
    private func refuse(_ message: Message) {
        guard case .restart(let promise) = message else { return }
        promise.fulfil(.failure(SupervisorError(code: .stopped, message: "\(self.spec.id) was stopped")))
    }

    // MARK: What others see

    var status: InstanceStatus { self.visible.withLock { $0.status } }

    func recentOutput(_ count: Int) -> [String] { self.visible.withLock { $0.recent.last(count) } }

    /// Whether it has ended for good, so that another may take its name.
    var isDown: Bool {
        let state = self.status.state
        return state == .failed || state == .stopped
    }

    func waitUntilReady() async throws(SupervisorError) {
        let promise = self.visible.withLock { $0.readiness }
        try await promise.value()
    }

    /// What it uses now; nil when it has no process, or nobody counts.
    func usage() -> InstanceUsage? { self.visible.withLock { $0.watched?.handle }?.usage() }

    /// Looks at its memory, and tells the run when that is news.
    func lookAtUsage() {
        let (current, last) = self.visible.withLock { ($0.watched, $0.status.usage) }
        guard let watched = current else { return }
        let teller = watched.handle as? any MemoryTelling
        guard let usage = teller == nil ? watched.handle.usage() : teller?.memoryUsage(after: last) else { return }
        let (limits, recycled) = (self.spec.process.limits, self.spec.recycling?.memoryBytes)
        let finding = self.visible.withLock { visible -> MemoryWatch.Finding? in
            guard visible.watched?.startID == watched.startID else { return nil }
            visible.status.usage = usage
            return visible.watched?.memory.look(at: usage, limits: limits, recycledBeyond: recycled)
        }
        if let finding { self.send(.memory(finding, startID: watched.startID)) }
    }

    // MARK: What the run tells

    /// What ``lookAtUsage()`` looks at; nil: there is no process.
    func watch(_ handle: (any ProcessHandle)?, startID: String) {
        self.visible.withLock { visible in
            visible.watched = handle.map { Watched(handle: $0, startID: startID) }
            visible.status.usage = nil
        }
    }

    func update(_ change: (inout InstanceStatus) -> Void) { self.visible.withLock { change(&$0.status) } }

    func receive(_ lines: [LineSplitter.Line], at now: Timestamp) {
        self.visible.withLock { visible in
            for line in lines { visible.recent.append(line) }
        }
        let output = lines.map { OutputLine(text: $0.text, timestamp: now.date, isPartial: $0.isPartial) }
        self.surroundings.output.receive(output, from: self.spec.id, labels: self.spec.labels)
    }

    func dropped(lines: Int, bytes: Int) {
        self.update { $0.droppedLines += lines }
        self.emit(.outputDropped(lines: lines, bytes: bytes), .outputRate)
    }

    func becameReady() {
        let promise = self.visible.withLock { visible in
            if visible.readiness.isFulfilled { visible.readiness = Promise() }
            return visible.readiness
        }
        promise.fulfil(.success(()))
    }

    /// Whoever asks from now on waits for the next time.
    func becameUnready() {
        self.visible.withLock { visible in
            if visible.readiness.isFulfilled { visible.readiness = Promise() }
        }
    }

    func failReadiness(_ error: SupervisorError) {
        let promise = self.visible.withLock { visible in
            if visible.readiness.isFulfilled { visible.readiness = Promise() }
            return visible.readiness
        }
        promise.fulfil(.failure(error))
    }

    /// Whether there is a reason to look at what it uses.
    var wantsLooks: Bool {
        let limits = self.spec.process.limits
        return limits.memoryBytes != nil || limits.softMemoryBytes != nil || self.spec.recycling?.memoryBytes != nil
    }

    func emit(_ kind: SupervisorEvent.Kind, _ cause: SupervisorEvent.Cause) {
        self.surroundings.publish(
            SupervisorEvent(
                id: self.spec.id, labels: self.spec.labels, kind: kind, cause: cause, at: Timestamp.now.date))
    }
}
