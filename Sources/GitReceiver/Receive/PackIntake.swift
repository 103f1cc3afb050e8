import Synchronization
import SystemPackage

/// Takes the pack of a push from the body, piece by piece, into a quarantine.
///
/// Memory stays bounded: a piece goes to the indexer before the next is read, which is also the back-pressure. The
/// state is behind a lock because consecutive pieces are handled by different threads; the lock is never contended.
final class PackIntake: Sendable {
    private struct State {
        var header: [UInt8] = []
        var received = 0
        /// The time that libgit2 has computed for this pack; waiting for the network does not count.
        var computed = Duration.zero
        var expected: Int?
        var indexer: PackIndexer?
    }

    let quarantine: Quarantine
    private let state = Mutex(State())
    private let open: @Sendable () throws(GitReceiverError) -> ObjectDatabase
    private let limits: GitServer.Configuration.Limits
    private let clock: any Clock<Duration>
    /// libgit2 has to stay started as long as the indexer lives.
    private let library: Libgit2Library

    init(
        into quarantine: Quarantine, library: Libgit2Library, limits: GitServer.Configuration.Limits,
        clock: any Clock<Duration>, open: @escaping @Sendable () throws(GitReceiverError) -> ObjectDatabase
    ) {
        self.quarantine = quarantine
        self.library = library
        self.limits = limits
        self.clock = clock
        self.open = open
    }

    /// Takes more of the pack. Blocks.
    func append(_ bytes: [UInt8], flag: CancellationFlag) throws(GitReceiverError) {
        try self.state.withLock { state throws(GitReceiverError) in
            state.received += bytes.count
            guard state.received <= self.limits.packBytes else {
                throw GitReceiverError(
                    .limitExceeded,
                    "the pack is larger than \(self.limits.packBytes >> 20) MiB, the limit of this server")
            }
            var piece = bytes
            if state.expected == nil {
                state.header += bytes
                guard state.header.count >= PackHeader.size else { return }
                let count = try PackHeader.objectCount(state.header.prefix(PackHeader.size))
                guard count <= self.limits.objects else {
                    throw GitReceiverError(.limitExceeded, "the pack has more than \(self.limits.objects) objects")
                }
                state.expected = count
                piece = state.header
                state.header = []
            }
            // A pack of nothing says that the server has all objects already; there is nothing to store.
            guard state.expected != 0 else { return }
            if state.indexer == nil {
                state.indexer = try PackIndexer(into: self.quarantine.path.appending("pack"), objects: try self.open())
            }
            try self.compute(&state, flag) { indexer, isOver throws(GitReceiverError) in
                try indexer.append(piece, isOver: isOver)
            }
        }
    }

    /// Ends the pack and indexes it. False for a pack without objects. Blocks.
    func finish(flag: CancellationFlag) throws(GitReceiverError) -> Bool {
        try self.state.withLock { state throws(GitReceiverError) -> Bool in
            guard let expected = state.expected else {
                throw GitReceiverError(.corrupt, state.received == 0 ? "the pack is missing" : "the pack is cut off")
            }
            guard expected > 0 else { return false }
            try self.compute(&state, flag) { indexer, isOver throws(GitReceiverError) in
                try indexer.commit(isOver: isOver)
            }
            state.indexer = nil
            return true
        }
    }

    /// Gives up; the quarantine can be removed afterwards. Blocks.
    func abandon() { self.state.withLock { $0.indexer = nil } }

    private func compute(
        _ state: inout State, _ flag: CancellationFlag,
        _ work: (PackIndexer, () -> Bool) throws(GitReceiverError) -> Bool
    ) throws(GitReceiverError) {
        let stopwatch = Stopwatch(self.clock)
        let left = self.limits.indexingTime - state.computed
        guard let indexer = state.indexer else { return }
        let finished = try work(indexer, { flag.isSet || stopwatch.elapsed() > left })
        state.computed += stopwatch.elapsed()
        try flag.check()
        guard finished, state.computed <= self.limits.indexingTime else {
            throw GitReceiverError(
                .deadlineExceeded,
                "the pack takes longer to index than \(self.limits.indexingTime.components.seconds) seconds, "
                    + "the limit of this server; push fewer commits at once")
        }
    }
}
