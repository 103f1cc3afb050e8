import Synchronization

/// The repositories that have got many packs, each once, for whoever maintains them in the background.
final class MaintenanceQueue: Sendable {
    private let pending = Mutex<Set<RepositoryName>>([])
    private let continuation: AsyncStream<RepositoryName>.Continuation
    /// For one reader at a time.
    let names: AsyncStream<RepositoryName>

    init(limit: Int) {
        // What does not fit is asked for again at the next push.
        (self.names, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(1, limit)))
    }

    func ask(for name: RepositoryName) {
        guard self.pending.withLock({ $0.insert(name).inserted }) else { return }
        if case .dropped = self.continuation.yield(name) { self.begin(name) }
    }

    /// Says that a repository is being looked after; it may be asked for again from here on.
    func begin(_ name: RepositoryName) { self.pending.withLock { _ = $0.remove(name) } }
}
