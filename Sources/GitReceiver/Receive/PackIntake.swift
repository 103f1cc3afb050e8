import Synchronization
import SystemPackage

/// Takes the pack of a push from the body, piece by piece, into a quarantine.
///
/// Memory stays bounded: a piece is stored and unpacked before the next is read, which is also the back-pressure. The
/// state is behind a lock because consecutive pieces are handled by different threads; the lock is never contended.
final class PackIntake: Sendable {
    private struct State {
        var header: [UInt8] = []
        var received = 0
        /// The time that was spent on this pack; waiting for the network does not count.
        var computed = Duration.zero
        var expected: Int?
        var receiver: PackReceiver?
        /// What the objects need that is not in the pack, until somebody has judged it.
        var needs: [ObjectNeed]?
        /// Given back with the memory that the receiver takes.
        var place: Gate.Place?
        var shares: [Budget.Share] = []
    }

    /// How many objects are taken from the budget at once: only large pushes compete, and none by what it claims alone.
    private static let share = 1 << 16

    let quarantine: Quarantine
    private let state: Mutex<State>
    /// What else the pack may build on: the repository that it is for.
    private let open: @Sendable () throws(GitReceiverError) -> Repository
    private let limits: GitServer.Configuration.Limits
    private let objects: Budget
    private let clock: any Clock<Duration>
    /// libgit2 has to stay started as long as objects are hashed.
    private let library: Libgit2Library

    init(
        into quarantine: Quarantine, place: Gate.Place, library: Libgit2Library, limits: GitServer.Configuration.Limits,
        objects: Budget, clock: any Clock<Duration>, open: @escaping @Sendable () throws(GitReceiverError) -> Repository
    ) {
        self.quarantine = quarantine
        self.state = Mutex(State(place: place))
        self.library = library
        self.limits = limits
        self.objects = objects
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
            if state.receiver == nil {
                state.receiver = try PackReceiver(
                    into: self.quarantine.path.appending("pack"), count: state.expected ?? 0, limits: self.limits)
            }
            try self.compute(&state, flag) { receiver, isOver throws(GitReceiverError) in
                try receiver.append(piece, isOver: isOver)
            }
            try self.charge(&state)
        }
    }

    /// Takes from the budget for what is held by now: objects, and names of objects, of which trees have many.
    private func charge(_ state: inout State) throws(GitReceiverError) {
        guard let receiver = state.receiver else { return }
        let wanted = Self.shares(for: max(receiver.entries.count, receiver.judge.table.rows.count))
        while state.shares.count < wanted {
            guard let share = self.objects.take(Self.share) else {
                throw GitReceiverError(
                    .busy,
                    "the git server receives too many objects at once (\(self.limits.receivedObjects)); try again "
                        + "in a minute, or push fewer commits at once")
            }
            state.shares.append(share)
        }
    }

    private static func shares(for count: Int) -> Int { max(0, count - 1) / self.share }

    /// Ends the pack and indexes it; false for a pack without objects. Blocks.
    func finish(flag: CancellationFlag) throws(GitReceiverError) -> Bool {
        try self.state.withLock { state throws(GitReceiverError) in
            // Whatever comes of it. All else that is known of the objects, some hundred bytes for each, goes with the place: the
            // push may wait for its turn as long as another is built.
            defer {
                state.receiver = nil
                state.place = nil
                state.shares.removeLast(max(0, state.shares.count - Self.shares(for: state.needs?.count ?? 0)))
            }
            guard let expected = state.expected else {
                throw GitReceiverError(.corrupt, state.received == 0 ? "the pack is missing" : "the pack is cut off")
            }
            guard expected > 0, let receiver = state.receiver else { return false }
            try self.compute(&state, flag) { receiver, isOver throws(GitReceiverError) in
                let repository = try self.open()
                defer { withExtendedLifetime(repository) {} }
                return try receiver.finish(
                    objects: { () throws(GitReceiverError) in try repository.objects() }, isOver: isOver)
            }
            try self.charge(&state)
            state.needs = try receiver.judge.table.needs()
            return true
        }
    }

    /// Hands over what the objects of the pack need. Whoever judges it lets go of it with that: a build that follows may
    /// take many minutes.
    func takeNeeds() -> [ObjectNeed]? {
        self.state.withLock { state in
            defer {
                state.needs = nil
                state.shares = []
            }
            return state.needs
        }
    }

    /// Gives up; the quarantine can be removed afterwards. Blocks.
    func abandon() {
        self.state.withLock { state in
            state.receiver = nil
            state.needs = nil
            state.place = nil
            state.shares = []
        }
    }

    private func compute(
        _ state: inout State, _ flag: CancellationFlag,
        _ work: (PackReceiver, () -> Bool) throws(GitReceiverError) -> Bool
    ) throws(GitReceiverError) {
        let stopwatch = Stopwatch(self.clock)
        let left = self.limits.indexingTime - state.computed
        guard let receiver = state.receiver else { return }
        let finished = try work(receiver, { flag.isSet || stopwatch.elapsed() > left })
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
