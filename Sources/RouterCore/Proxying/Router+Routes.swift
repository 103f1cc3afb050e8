import Logging
import NIOCore
import Synchronization

extension Router {
    /// Adds an application's route or replaces it, in one step. Requests that are being worked on end where they are;
    /// the next one sees the new route. Clients keep their connections.
    ///
    /// - Throws: ``RouterError`` when the route is malformed, or one of its hosts belongs to another application.
    ///   Nothing has changed then.
    public func setRoute(_ route: ApplicationRoute) throws(RouterError) {
        if route.policy?.authentication != nil, self.configuration.passwordVerifier == nil {
            throw RouterError(
                .invalidRoute,
                "The route of application '\(route.application)' asks for passwords, but the router's configuration has "
                    + "no passwordVerifier.")
        }
        try self.state.withLock { state throws(RouterError) in
            try route.check()
            let old = state.routes.find(application: route.application)
            let application = old?.application ?? ApplicationState(name: route.application)
            let now = NIODeadline.now().uptimeNanoseconds
            let members = route.backends.map { backend in
                let known = old?.members.first {
                    $0.instance.id == backend.id && $0.instance.address == backend.address
                }
                return ApplicationPool.Member(
                    instance: known?.instance
                        ?? Instance(
                            backend, slot: state.takeSlot(), since: now, isHealthy: route.probe?.startsHealthy ?? true),
                    weight: backend.weight, limit: backend.maxInFlight ?? self.configuration.maxInFlightPerBackend)
            }
            let pool = ApplicationPool(
                route: route, members: members, application: application, key: self.configuration.secretKey,
                loops: self.configuration.threads, clientSharePercent: self.configuration.clientSharePercent)
            do throws(RouterError) {
                try state.routes.set(application: route.application, matches: route.matches, value: pool)
            } catch {
                let known = (old?.members ?? []).map(\.instance)
                for member in members where !known.contains(where: { $0 === member.instance }) {
                    state.giveBack(slot: member.instance.slot)
                }
                throw error
            }
            state.publish(
                retiring: (old?.members ?? []).map(\.instance).filter { instance in
                    !members.contains { $0.instance === instance }
                }, application: application, opens: !members.isEmpty)
        }
    }

    /// Takes an application off the router. Requests that are being worked on end; the next one is answered 404.
    public func removeRoute(application: String) {
        self.state.withLock { state in
            guard let old = state.routes.find(application: application) else { return }
            state.routes.remove(application: application)
            state.publish(
                retiring: old.members.map(\.instance), application: old.application, opens: true)
        }
    }

    /// An application's route, as it is now.
    public func route(for application: String) -> ApplicationRoute? {
        self.state.withLock { $0.routes.find(application: application)?.route }
    }

    /// All routes, as they are now.
    public var routes: [ApplicationRoute] {
        self.state.withLock { $0.routes.values.map(\.route) }.sorted { $0.application < $1.application }
    }

    /// How many of an application's requests and upgraded connections are in flight, queued ones included.
    public func inFlight(application: String) -> Int {
        self.state.withLock { $0.routes.find(application: application)?.application.inFlight ?? 0 }
    }

    /// What has gone through since the router began to run, by application; ordered by name.
    ///
    /// Every loop counts for itself, and is asked here: call it every few seconds, not for every request.
    public func traffic() async -> [ApplicationTraffic] {
        let workers = self.state.withLock { $0.workers }
        let all = Mutex<[String: ApplicationTraffic]>([:])
        for worker in workers {
            await worker.run { worker in
                let counted = worker.traffic.snapshot
                all.withLock { all in
                    for (name, traffic) in counted {
                        all[name, default: ApplicationTraffic(application: name)].add(traffic)
                    }
                }
            }
        }
        return all.withLock { $0.values.sorted { $0.application < $1.application } }
    }

    /// Waits until nothing is in flight to these instances, neither requests nor upgraded connections.
    ///
    /// Take them out of their route first: an instance that still gets requests may never be idle. Every request
    /// that the old route sent to them is waited for. Idle connections to them are closed at once.
    ///
    /// Upgraded connections and event streams hardly ever end by themselves, and their clients connect again as soon as
    /// they are gone. So they are ended one by one, evenly over the second half of `grace` and in an order of chance: the
    /// first half is for those that have an end, the second keeps thousands from coming back in the same moment. What has
    /// not ended after `grace` is answered 503 or broken off. Kept client connections stay, unless an answer had begun.
    ///
    /// When the task is cancelled, it returns at once and breaks nothing off.
    public func drain(_ backends: Set<BackendID>, grace: Duration) async -> DrainReport {
        let (workers, instances) = self.state.withLock { ($0.workers, $0.instances(backends)) }
        // A worker does its work in order: after this, every one chooses by the routes that were set before the call.
        for worker in workers { await worker.run { $0.closeIdle(backends) } }
        let watch = DrainWatch(instances)
        let ended = await withTaskGroup(of: Int.self) { group in
            group.addTask {
                await watch.wait()
                return 0
            }
            group.addTask {
                guard (try? await self.clock.sleep(for: grace - grace / 2)) != nil else { return 0 }
                return await self.endStreams(to: backends, code: .drained, over: grace / 2)
            }
            let first = await group.next() ?? 0
            group.cancelAll()
            return await group.reduce(first, +)
        }
        let remaining = watch.remaining
        if remaining > 0, !Task.isCancelled {
            for worker in workers { await worker.run { $0.abort(backends, code: .drained) } }
        }
        if remaining + ended > 0 {
            self.logger.info(
                "drain ended what had not ended by itself",
                metadata: [
                    "router.streams": "\(ended)", "router.remaining": "\(remaining)", "router.grace": "\(grace)",
                ])
        }
        self.state.withLock { $0.forgetIdle() }
        return DrainReport(remaining: remaining, endedStreams: ended)
    }
}
