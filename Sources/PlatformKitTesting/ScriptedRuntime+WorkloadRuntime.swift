public import PlatformKit
internal import PlatformWire
import Synchronization

extension ScriptedRuntime: WorkloadRuntime {
    /// Does what the test said; see ``ScriptedRuntime/init(adoption:boot:)``.
    public func waitUntilAdopted() async throws { try await self.adoption() }

    /// The instances of an application, sorted by identity.
    public func instances(of applicationID: String) -> [WorkloadInstance] {
        self.snapshot.instances.values.filter { $0.applicationID == applicationID }.sorted { $0.id < $1.id }
    }

    /// The applications that have instances here.
    public func applicationIDs() -> Set<String> { Set(self.snapshot.instances.values.map(\.applicationID)) }

    /// Records the start, and lets become of the instance what the script says.
    public func start(_ request: WorkloadRequest) async throws(PlatformError) -> WorkloadInstance {
        var instance = WorkloadInstance(
            id: "\(request.applicationID)/\(request.name)@v\(request.release)#\(request.serial)",
            applicationID: request.applicationID, processType: request.processType, number: request.number,
            release: request.release, serial: request.serial, phase: .starting,
            size: request.size.name, user: request.user)
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
            if let other = state.snapshot.instances.values.first(where: {
                $0.applicationID == instance.applicationID && $0.user != instance.user
                    && ![.failed, .stopped].contains($0.phase)
            }) {
                state.snapshot.violations.append(
                    "\(instance.id) was started beside \(other.id), which is another user's")
            }
            if request.life.isSingleton,
                let other = state.snapshot.instances.values.first(where: {
                    $0.applicationID == instance.applicationID && $0.processType == instance.processType
                })
            {
                state.snapshot.violations.append("\(instance.id) was started while there was \(other.id)")
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

    /// Returns when the instance is ready; throws `refused` when it ended, was stopped, or the task was cancelled.
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

    /// Records the stop, and forgets the instance.
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
        let type = String(event.name.prefix { $0 != "." })
        guard await self.wait(until: { !$0.heldStops.contains(type) }) else { return }
        self.change { $0.snapshot.instances[id] = nil }
        self.send(WorkloadEvent(applicationID: event.applicationID, name: event.name, text: "Stopped"))
    }

    /// Records the restart: the instance ends and is ready again at once.
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

    /// Records the route, and notes as a violation what must not be routed to.
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

    /// Records that the route is gone.
    public func removeRoute(of applicationID: String) {
        self.change { state in
            state.snapshot.records.append(.removeRoute)
            state.snapshot.routes[applicationID] = nil
        }
    }

    /// Records the drain; returns at once, or when the test lets drains end.
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

    /// Records the one-off, which does what the script says.
    public func runOneOff(
        _ request: WorkloadRequest, timeout: Duration?, session: OneOffSession
    ) async throws(PlatformError) -> WorkloadExit {
        self.change { state in
            state.snapshot.records.append(.oneOff("\(request.name)@v\(request.release)"))
            state.snapshot.requests.append(request)
        }
        switch self.state.withLock({ $0.oneOff })(request) {
        case .ends(let status, let lines):
            try await Self.say(lines, to: session)
            return WorkloadExit(status: status, description: "exit status \(status)")
        case .hangs(let lines):
            try await Self.say(lines, to: session)
            await self.wait { _ in false }
            throw PlatformError(.refused, "\(request.name) was ended")
        case .fails(let reason):
            throw PlatformError(.refused, "\(request.name) \(reason)")
        }
    }

    private static func say(_ lines: [String], to session: OneOffSession) async throws(PlatformError) {
        for line in lines {
            do {
                try await session.output(Array((line + "\n").utf8))
            } catch {
                throw PlatformError(.refused, "nobody takes the output", cause: error)
            }
        }
    }

    /// Everything that happens from now on.
    public func events() -> AsyncStream<WorkloadEvent> {
        let (stream, continuation) = AsyncStream<WorkloadEvent>.makeStream()
        self.state.withLock { $0.listeners.append(continuation) }
        return stream
    }
}
