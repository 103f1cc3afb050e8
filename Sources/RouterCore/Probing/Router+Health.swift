import NIOCore
import Synchronization

extension Router {
    /// Says whether an instance may be given requests. A ``HealthMonitor`` does this for routes with a
    /// ``ApplicationRoute/probe``; call it yourself for instances whose health you know otherwise.
    ///
    /// An instance that may not stays in its route and keeps what is in flight to it. When it may again, its share grows
    /// slowly if the route has ``ApplicationRoute/slowStart``, and its ejections are over. The next request sees the
    /// change.
    ///
    /// - Parameters:
    ///   - backend: the instance. Its name and address count.
    ///   - application: whose route it is in.
    ///   - isHealthy: whether it may be given requests.
    /// - Returns: false when the application's route has no such instance at this address: it may have left meanwhile.
    ///   Nothing has changed then.
    @discardableResult
    public func setHealth(of backend: Backend, application: String, isHealthy: Bool) -> Bool {
        let now = NIODeadline.now().uptimeNanoseconds
        return self.state.withLock { state in
            guard let pool = state.routes.find(application: application),
                let instance = pool.members.map(\.instance).first(where: {
                    $0.id == backend.id && $0.address == backend.address
                })
            else { return false }
            guard instance.isHealthy != isHealthy else { return true }
            if isHealthy { instance.comeBack(now: now) } else { instance.leaveOut() }
            // The same matches: it cannot be refused.
            try? state.routes.set(
                application: application, matches: pool.route.matches, value: pool.withCurrentHealth())
            state.publish(retiring: [], application: pool.application, opens: isHealthy)
            return true
        }
    }

    /// The instances of an application that get requests; nil when it has no route.
    public func healthyBackends(application: String) -> Set<BackendID>? {
        self.state.withLock { state in
            state.routes.find(application: application).map { pool in
                Set(pool.members.map(\.instance).filter(\.isHealthy).map(\.id))
            }
        }
    }
}
