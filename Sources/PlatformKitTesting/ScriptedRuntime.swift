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
/// does not exist or was let go already, drains or stops one that still gets requests, starts one twice,
/// or starts one beside another user's of the same application.
/// Thread-safe.
public final class ScriptedRuntime: Sendable {
    struct Waiter {
        var id: Int
        var isDue: @Sendable (Snapshot) -> Bool
        var continuation: CheckedContinuation<Bool, Never>
    }

    struct State {
        var snapshot = Snapshot()
        var boot: @Sendable (WorkloadRequest) -> Boot
        var oneOff: @Sendable (WorkloadRequest) -> OneOff = { _ in .ends(0, printing: []) }
        var endingAfterStart: [String: String] = [:]
        var waiters: [Waiter] = []
        var lastWaiter = 0
        var cancelledEarly: Set<Int> = []
        var listeners: [AsyncStream<WorkloadEvent>.Continuation] = []
    }

    let state: Mutex<State>
    let adoption: @Sendable () async throws -> Void

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

    /// Instances of these process types do not end, however often that is asked for, until this is called again without
    /// them: they have a long grace.
    public func holdStops(of processTypes: Set<String>) {
        self.change { $0.snapshot.heldStops = processTypes }
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

    func change<R: Sendable>(_ body: (inout State) -> R) -> R {
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

    func send(_ event: WorkloadEvent) {
        for listener in self.state.withLock({ $0.listeners }) { listener.yield(event) }
    }
}
