/// Which connections a loop gives up first when new ones have no room: those that have waited longest for a request.
///
/// To keep all of them in order would cost every request something. So they are looked for when they are needed: one look
/// at all connections finds many, which are then given up one by one. When it finds too few, the next look has to wait.
struct SpareConnections {
    struct Candidate {
        weak var session: (any ClientSession)?
        /// Since when it has waited, in nanoseconds of uptime.
        var since: UInt64
    }

    /// So many are remembered of one look.
    static var atOnce: Int { 128 }

    private let pause: UInt64
    /// The one that has waited longest comes last.
    private var candidates: [Candidate] = []
    private var nextLook: UInt64 = 0

    /// - Parameter pause: how many nanoseconds a look that has found too few suffices for.
    init(pause: UInt64) { self.pause = pause }

    /// The connection that has waited longest, of those that have since the look; nil when there is none.
    ///
    /// - Parameters:
    ///   - least: for how many nanoseconds it must have waited. One that has not may be about to ask.
    ///   - look: all connections that wait for a request, in any order.
    mutating func next(
        now: UInt64, least: UInt64, look: () -> [Candidate]
    ) -> (any ClientSession)? {
        if let session = self.takeCandidate() { return session }
        guard now >= self.nextLook else { return nil }
        self.candidates = look().filter { now >= $0.since && now - $0.since >= least }.sorted { $0.since > $1.since }
        let isMany = self.candidates.count >= Self.atOnce
        let session = self.takeCandidate()
        self.candidates.removeFirst(max(0, self.candidates.count - Self.atOnce))
        if session == nil || !isMany { self.nextLook = now &+ self.pause }
        return session
    }

    private mutating func takeCandidate() -> (any ClientSession)? {
        while let candidate = self.candidates.popLast() {
            // Since the look it may have asked something, or left.
            if let session = candidate.session, session.idleSince == candidate.since, session.isQuiet() {
                return session
            }
        }
        return nil
    }
}
