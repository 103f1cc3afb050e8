import Synchronization

/// Tells somebody which applications' routes have changed. However many do, nothing piles up.
final class RouteWatch: Sendable {
    private let changed: Mutex<Set<String>>
    /// Says that there is something to ``take()``.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(_ applications: Set<String>) {
        self.changed = Mutex(applications)
        (self.signals, self.signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.signal.yield()
    }

    func note(_ application: String) {
        let isFirst = self.changed.withLock { changed in
            changed.insert(application)
            return changed.count == 1
        }
        if isFirst { self.signal.yield() }
    }

    func take() -> Set<String> {
        self.changed.withLock { changed in
            defer { changed = [] }
            return changed
        }
    }
}

extension Router {
    /// Tells about every route that there is, and then about those that change.
    func watchRoutes() -> RouteWatch {
        self.state.withLock { state in
            let watch = RouteWatch(Set(state.routes.values.map(\.route.application)))
            state.watches.append(watch)
            return watch
        }
    }

    func unwatch(_ watch: RouteWatch) {
        self.state.withLock { $0.watches.removeAll { $0 === watch } }
    }
}
