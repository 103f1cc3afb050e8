public import PlatformKit
import Synchronization

/// A runtime without processes and without a network: a test says what becomes of each instance, and reads in which
/// order the control plane did what.
///
/// ```swift
/// let runtime = ScriptedRuntime(boot: { $0.release == 2 ? .crashes("exit status 1") : .ready })
/// // … a platform of this runtime deploys twice; the second one fails …
/// #expect(runtime.snapshot.routed == ["web.1@v1"])
/// ```
///
/// It notes in ``Snapshot/violations`` where the control plane does what must never happen: routes to an instance that
/// does not exist or was let go already, drains or stops one that still gets requests, or starts one twice.
/// Thread-safe.
public final class ScriptedRuntime: WorkloadRuntime {
    private struct Waiter {
        var id: Int
        var isDue: @Sendable (Snapshot) -> Bool
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var snapshot = Snapshot()
        var boot: @Sendable (WorkloadRequest) -> Boot
        var oneOff: @Sendable (WorkloadRequest) -> OneOff = { _ in .ends(0, printing: []) }
        var endingAfterStart: [String: String] = [:]
        var waiters: [Waiter] = []
        var lastWaiter = 0
        var cancelledEarly: Set<Int> = []
        var listeners: [AsyncStream<WorkloadEvent>.Continuation] = []
    }

    private let state: Mutex<State>
    private let adoption: @Sendable () async throws -> Void

    /// Makes a runtime without instances.
    ///
    /// - Parameters:
    ///   - adoption: what `waitUntilAdopted` does; nothing by default.
    ///   - boot: what becomes of instances; they are ready at once by default.
    public init(
        adoption: @escaping @Sendable () async throws -> Void = {},
        boot: @escaping @Sendable (WorkloadRequest) -> Boot = { _ in .ready }
    ) {
        self.adoption = adoption
        self.state = Mutex(State(boot: boot))
    }

    // MARK: What a test says and sees

    /// The present moment.
    public var snapshot: Snapshot { self.state.withLock { $0.snapshot } }

    /// Says what becomes of instances that are started from now on.
    public func script(_ boot: @escaping @Sendable (WorkloadRequest) -> Boot) {
        self.state.withLock { $0.boot = boot }
    }

    /// Says what becomes of one-offs and release commands from now on.
    public func scriptOneOffs(_ oneOff: @escaping @Sendable (WorkloadRequest) -> OneOff) {
        self.state.withLock { $0.oneOff = oneOff }
    }

    /// Forgets what was recorded so far; instances and routes stay.
    public func forgetRecords() {
        self.state.withLock { $0.snapshot.records = [] }
    }

    /// Requests in flight do not come to an end while this is set: `drain` waits.
    public func holdDrains(_ holds: Bool) {
        self.change { $0.snapshot.holdsDrains = holds }
    }

    /// Processes do not come to exist while this is set: `start` waits, after it was recorded.
    public func holdStarts(_ holds: Bool) {
        self.change { $0.snapshot.holdsStarts = holds }
    }

    /// Puts an instance there, as a former control plane may have left it.
    public func adopt(_ instance: WorkloadInstance) {
        self.change { $0.snapshot.instances[instance.id] = instance }
    }

    /// An instance becomes ready.
    public func makeReady(_ id: String) {
        self.update(id, "Ready") { $0.phase = .ready }
    }

    /// The process of an instance ends; it will be tried again.
    public func crash(_ id: String, because reason: String = "exit status 1") {
        self.update(id, "Ended: \(reason)", isCrash: true) {
            $0.phase = .backingOff
            $0.restarts += 1
            $0.lastExit = reason
        }
    }

    /// An instance does not answer its check any more.
    public func makeUnready(_ id: String) {
        self.update(id, "Not ready") { $0.phase = .unready }
    }

    /// Returns true when the runtime is, or comes to be, as `condition` says; false when the task was cancelled first.
    @discardableResult
    public func wait(until condition: @escaping @Sendable (Snapshot) -> Bool) async -> Bool {
        let id = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = self.state.withLock { state in
                    if condition(state.snapshot) { return true }
                    if state.cancelledEarly.remove(id) != nil { return false }
                    state.waiters.append(Waiter(id: id, isDue: condition, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelledEarly.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: false)
        }
    }

    private func change<R: Sendable>(_ body: (inout State) -> R) -> R {
        let (result, due) = self.state.withLock { state in
            let result = body(&state)
            let snapshot = state.snapshot
            let due = state.waiters.filter { $0.isDue(snapshot) }
            let ids = Set(due.map(\.id))
            state.waiters.removeAll { ids.contains($0.id) }
            return (result, due)
        }
        for waiter in due { waiter.continuation.resume(returning: true) }
        return result
    }

    private func update(
        _ id: String, _ text: String, isCrash: Bool = false, _ body: (inout WorkloadInstance) -> Void
    ) {
        let event: WorkloadEvent? = self.change { state in
            guard var instance = state.snapshot.instances[id] else { return nil }
            body(&instance)
            state.snapshot.instances[id] = instance
            return WorkloadEvent(
                applicationID: instance.applicationID, name: instance.name, text: text, isCrash: isCrash)
        }
        if let event { self.send(event) }
    }

    private func send(_ event: WorkloadEvent) {
        for listener in self.state.withLock({ $0.listeners }) { listener.yield(event) }
    }

    // MARK: What the control plane asks for

    public func waitUntilAdopted() async throws { try await self.adoption() }

    public func instances(of applicationID: String) -> [WorkloadInstance] {
        self.snapshot.instances.values.filter { $0.applicationID == applicationID }.sorted { $0.id < $1.id }
    }

    public func applicationIDs() -> Set<String> { Set(self.snapshot.instances.values.map(\.applicationID)) }

    public func start(_ request: WorkloadRequest) async throws(PlatformError) -> WorkloadInstance {
        var instance = WorkloadInstance(
            id: "\(request.applicationID)/\(request.name)@v\(request.release)#\(request.serial)",
            applicationID: request.applicationID, processType: request.processType, number: request.number,
            release: request.release, serial: request.serial, phase: .starting)
        let name = instance.shortName
        self.change { state in
            state.snapshot.records.append(.start(name))
            state.snapshot.requests.append(request)
        }
        guard await self.wait(until: { !$0.holdsStarts }) else {
            throw PlatformError(.refused, "\(request.name) cannot be started: nobody waits for it any more")
        }
        let boot = self.state.withLock { $0.boot }(request)
        switch boot {
        case .cannotStart(let reason):
            throw PlatformError(.refused, "\(request.name) cannot be started: \(reason)")
        case .ready, .endsRightAfterStart: instance.phase = .ready
        case .staysStarting: break
        case .crashes(let reason):
            instance.phase = .backingOff
            instance.lastExit = reason
        }
        self.change { [instance] state in
            if state.snapshot.instances[instance.id] != nil || state.snapshot.letGo.contains(instance.id) {
                state.snapshot.violations.append("\(instance.id) was started twice")
            }
            if case .endsRightAfterStart(let reason) = boot { state.endingAfterStart[instance.id] = reason }
            state.snapshot.instances[instance.id] = instance
        }
        self.send(
            WorkloadEvent(
                applicationID: instance.applicationID, name: instance.name,
                text: instance.phase == .ready ? "Ready" : "Started"))
        return instance
    }

    public func waitUntilReady(_ id: String) async throws(PlatformError) {
        let wasFound = await self.wait { snapshot in
            guard let instance = snapshot.instances[id] else { return true }
            return [.ready, .backingOff, .failed, .stopped].contains(instance.phase)
        }
        // As a runtime of real processes has it: that somebody stopped waiting is one failure among others.
        guard wasFound else { throw PlatformError(.refused, "was not ready yet when nobody waited any more") }
        guard let instance = self.snapshot.instances[id] else {
            throw PlatformError(.refused, "was stopped before it was ready")
        }
        guard instance.phase == .ready else {
            throw PlatformError(.refused, "did not become ready: \(instance.lastExit ?? "it ended")")
        }
        if let reason = self.state.withLock({ $0.endingAfterStart.removeValue(forKey: id) }) {
            self.crash(id, because: reason)
        }
    }

    public func stop(_ id: String) async {
        let event: WorkloadEvent? = self.change { state in
            guard let instance = state.snapshot.instances[id] else { return nil }
            state.snapshot.records.append(.stop(instance.shortName))
            if state.snapshot.routes[instance.applicationID]?.instances.contains(id) == true {
                state.snapshot.violations.append("\(id) was stopped while it got requests")
            }
            state.snapshot.letGo.insert(id)
            state.snapshot.instances[id]?.phase = .stopping
            return WorkloadEvent(applicationID: instance.applicationID, name: instance.name, text: "Stopping")
        }
        guard let event else { return }
        self.send(event)
        await Task.yield()
        self.change { $0.snapshot.instances[id] = nil }
        self.send(WorkloadEvent(applicationID: event.applicationID, name: event.name, text: "Stopped"))
    }

    public func restart(_ id: String) async throws(PlatformError) {
        let isThere = self.change { state in
            guard let instance = state.snapshot.instances[id] else { return false }
            state.snapshot.records.append(.restart(instance.shortName))
            return true
        }
        guard isThere else { throw PlatformError(.refused, "\(id) does not run") }
        self.crash(id, because: "restarted")
        self.makeReady(id)
    }

    public func setRoute(_ route: WorkloadRoute) throws(PlatformError) {
        self.change { state in
            for id in route.instances {
                if state.snapshot.instances[id] == nil {
                    state.snapshot.violations.append("a route leads to \(id), which does not exist")
                }
                if state.snapshot.letGo.contains(id) {
                    state.snapshot.violations.append("a route leads to \(id), which was let go")
                }
            }
            let names = route.instances.map { state.snapshot.instances[$0]?.shortName ?? $0 }
            state.snapshot.routes[route.applicationID] = route
            state.snapshot.records.append(.route(names))
        }
    }

    public func removeRoute(of applicationID: String) {
        self.change { state in
            state.snapshot.records.append(.removeRoute)
            state.snapshot.routes[applicationID] = nil
        }
    }

    public func drain(_ ids: [String], grace: Duration) async {
        self.change { state in
            let instances = ids.compactMap { state.snapshot.instances[$0] }
            state.snapshot.records.append(.drain(instances.map(\.shortName)))
            for instance in instances
            where state.snapshot.routes[instance.applicationID]?.instances.contains(instance.id) == true {
                state.snapshot.violations.append("\(instance.id) was drained while it got requests")
            }
            state.snapshot.letGo.formUnion(ids)
        }
        await self.wait { !$0.holdsDrains }
    }

    public func runOneOff(
        _ request: WorkloadRequest, timeout: Duration?, output: @escaping @Sendable ([UInt8]) -> Void
    ) async throws(PlatformError) -> WorkloadExit {
        self.change { state in
            state.snapshot.records.append(.oneOff("\(request.name)@v\(request.release)"))
            state.snapshot.requests.append(request)
        }
        switch self.state.withLock({ $0.oneOff })(request) {
        case .ends(let status, let lines):
            for line in lines { output(Array((line + "\n").utf8)) }
            return WorkloadExit(status: status, description: "exit status \(status)")
        case .hangs(let lines):
            for line in lines { output(Array((line + "\n").utf8)) }
            await self.wait { _ in false }
            throw PlatformError(.refused, "\(request.name) was ended")
        case .fails(let reason):
            throw PlatformError(.refused, "\(request.name) \(reason)")
        }
    }

    public func events() -> AsyncStream<WorkloadEvent> {
        let (stream, continuation) = AsyncStream<WorkloadEvent>.makeStream()
        self.state.withLock { $0.listeners.append(continuation) }
        return stream
    }
}
