import NIOCore
import Synchronization

extension Router {
    /// Says whether an instance may be given requests. A ``HealthMonitor`` does this for routes with a
    /// ``ApplicationRoute/probe``; call it yourself for instances whose health you know otherwise.
    ///
    /// An instance that may not stays in its route and keeps what is in flight to it. When it may again, its share grows
    /// slowly if the route has ``ApplicationRoute/slowStart``, and its ejections are over. The next request sees the
    /// change; nothing happens when there is none, or when the application's route has no such instance at this
    /// address.
    public func setHealth(of backend: Backend, application: String, isHealthy: Bool) {
        let now = NIODeadline.now().uptimeNanoseconds
        self.state.withLock { state in
            guard let pool = state.routes.find(application: application),
                let instance = pool.members.map(\.instance).first(where: {
                    $0.id == backend.id && $0.address == backend.address
                }), instance.isHealthy != isHealthy
            else { return }
            if isHealthy { instance.comeBack(now: now) } else { instance.leaveOut() }
            // The same matches: it cannot be refused.
            try? state.routes.set(
                application: application, matches: pool.route.matches, value: pool.withCurrentHealth())
            state.publish(retiring: [], application: pool.application, opens: isHealthy)
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
