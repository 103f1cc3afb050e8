import Logging
import Synchronization
import SystemPackage

/// What instances need of their supervisor.
struct InstanceSurroundings: Sendable {
    var configuration: Supervisor.Configuration
    var launcher: any Launcher
    var output: any OutputHandler
    var clock: any Clock<Duration>
    var randomness: Randomness
    var records: RecordStore
    var bootID: String
    var ports: Ports
    var pacing: RestartPacing
    var logger: Logger
    var publish: @Sendable (SupervisorEvent) -> Void
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
        /// What a job found out; dropped when the job is not the present one any more.
        case found(InstanceMachine.Event, by: Jobs<Job>.Token)
        /// What a look at the memory of a start found; dropped when it is not the present one any more.
        case memory(MemoryWatch.Finding, startID: String)
        case stop
        case restart(Promise<Void>)
        /// Let go of the process without touching it.
        case abandon
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
    let messages: AsyncStream<Message>
    private let mailbox: AsyncStream<Message>.Continuation
    private let visible: Mutex<Visible>

    init(spec: InstanceSpec, surroundings: InstanceSurroundings) {
        self.spec = spec
        self.surroundings = surroundings
        (self.messages, self.mailbox) = AsyncStream.makeStream()
        let status = InstanceStatus(id: spec.id, labels: spec.labels, state: .starting)
        self.visible = Mutex(
            Visible(status: status, recent: RecentLines(limit: surroundings.configuration.recentLines)))
    }

    func send(_ message: Message) { self.mailbox.yield(message) }

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

    /// Looks at what it uses, and tells the run when that is news.
    func lookAtUsage() {
        guard let watched = self.visible.withLock({ $0.watched }), let usage = watched.handle.usage() else { return }
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
