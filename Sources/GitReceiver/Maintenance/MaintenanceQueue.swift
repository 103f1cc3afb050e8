import Synchronization

/// The repositories that have got many packs, each once, for whoever maintains them in the background.
final class MaintenanceQueue: Sendable {
    private struct State {
        var pending: Set<RepositoryName> = []
        /// How often in a row maintenance has failed, and how many askings are let pass because of that.
        var failures: [RepositoryName: (count: Int, left: Int)] = [:]
    }

    private let state = Mutex(State())
    private let limit: Int
    private let continuation: AsyncStream<RepositoryName>.Continuation
    /// For one reader at a time.
    let names: AsyncStream<RepositoryName>

    init(limit: Int) {
        self.limit = max(1, limit)
        // What does not fit is asked for again at the next push.
        (self.names, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(1, limit)))
    }

    /// Asks for a maintenance; false if it has been asked for already, or has failed too often to be tried now.
    @discardableResult
    func ask(for name: RepositoryName) -> Bool {
        let isNew = self.state.withLock { state in
            if let (count, left) = state.failures[name], left > 0 {
                state.failures[name] = (count, left - 1)
                return false
            }
            return state.pending.insert(name).inserted
        }
        guard isNew else { return false }
        if case .dropped = self.continuation.yield(name) {
            self.begin(name)
            return false
        }
        return true
    }

    /// Says that a repository is being looked after; it may be asked for again from here on.
    func begin(_ name: RepositoryName) { self.state.withLock { _ = $0.pending.remove(name) } }

    /// Says how a maintenance has ended. One that fails every time may take as long as it is allowed to, so each failure in a row
    /// doubles the askings that are let pass before it is tried again; the others' turns come meanwhile.
    func end(_ name: RepositoryName, failed: Bool) {
        self.state.withLock { state in
            guard failed, state.failures.count < self.limit || state.failures[name] != nil else {
                state.failures[name] = nil
                return
            }
            let count = min((state.failures[name]?.count ?? 0) + 1, 10)
            state.failures[name] = (count, (1 << (count - 1)) - 1)
        }
    }
}
