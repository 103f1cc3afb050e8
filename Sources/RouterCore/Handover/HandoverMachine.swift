/// Whom a running router hands its sockets to: one other router at a time, and in the end to one for good.
///
/// ```
///   keeping ──hello──▶ offered ──ready──▶ released
///      ▲                  │
///      └── left, expired ─┘      hello from a third: refused, in any state but keeping
/// ```
///
/// A value without sockets or a clock: it returns what to do.
struct HandoverMachine {
    /// Names a connection, for as long as it stands.
    typealias Peer = Int32

    enum Action: Equatable {
        case offer(Peer)
        case refuse(Peer, String)
        /// Stop accepting, then tell the peer.
        case release(Peer)
        /// It said what makes no sense here.
        case close(Peer)
    }

    private enum State {
        case keeping
        case offered(Peer, process: Int32, until: UInt64)
        case released(Peer?, process: Int32)
        case stopping
    }

    private var state = State.keeping
    private let offerTimeout: UInt64

    /// - Parameter offerTimeout: how long a peer may take from the offer to being ready, in nanoseconds.
    init(offerTimeout: UInt64) { self.offerTimeout = offerTimeout }

    /// When ``expire(now:)`` has something to do.
    var deadline: UInt64? {
        if case .offered(_, _, let until) = self.state { return until }
        return nil
    }

    mutating func hello(_ peer: Peer, process: Int32, now: UInt64) -> Action {
        switch self.state {
        case .keeping:
            self.state = .offered(peer, process: process, until: now &+ self.offerTimeout)
            return .offer(peer)
        case .offered(let other, _, _) where other == peer: return .close(peer)
        case .offered(_, let process, _):
            return .refuse(peer, "Process \(process) is taking over already; stop it, or wait until it has.")
        case .released(_, let process):
            return .refuse(peer, "Process \(process) has just taken over; ask again in a moment.")
        case .stopping: return .refuse(peer, "The router is stopping; start again when its process has ended.")
        }
    }

    mutating func ready(_ peer: Peer) -> Action {
        guard case .offered(peer, let process, _) = self.state else { return .close(peer) }
        self.state = .released(peer, process: process)
        return .release(peer)
    }

    /// A connection has ended. Before it was ready, that leaves everything as it was; true when it had the offer.
    mutating func left(_ peer: Peer) -> Bool {
        switch self.state {
        case .offered(peer, _, _):
            self.state = .keeping
            return true
        case .released(peer, let process): self.state = .released(nil, process: process)
        default: break
        }
        return false
    }

    mutating func expire(now: UInt64) -> Action? {
        guard case .offered(let peer, _, let until) = self.state, until <= now else { return nil }
        self.state = .keeping
        return .refuse(peer, "The new router took too long to be ready; the old one goes on.")
    }

    /// The router has stopped accepting, for whatever reason: returns who holds the sockets as well, and is to be told
    /// that they are its own.
    mutating func stop() -> Peer? {
        switch self.state {
        case .offered(let peer, _, _):
            self.state = .stopping
            return peer
        case .released(let peer, let process):
            self.state = .released(nil, process: process)
            return peer
        case .keeping, .stopping:
            self.state = .stopping
            return nil
        }
    }
}
