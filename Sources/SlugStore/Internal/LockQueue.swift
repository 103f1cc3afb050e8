/// Who holds a lock and who waits for it, as a value that only decides.
///
/// Shared holders exclude exclusive ones. It is first come, first served: a shared request behind a waiting exclusive one
/// waits too, so that a garbage collection is not kept waiting for ever by an endless row of puts.
struct LockQueue: Sendable {
    enum Mode: Sendable { case shared, exclusive }

    typealias Ticket = UInt64

    private var sharedHolders = 0
    private var isHeldExclusively = false
    private var waiting: [(ticket: Ticket, mode: Mode)] = []

    var isIdle: Bool { self.sharedHolders == 0 && !self.isHeldExclusively && self.waiting.isEmpty }

    /// Asks for the lock; returns whether it was granted. If not, a later ``release(_:)`` or ``abandon(_:)`` names the ticket.
    mutating func request(_ ticket: Ticket, _ mode: Mode) -> Bool {
        if self.waiting.isEmpty, self.grant(mode) { return true }
        self.waiting.append((ticket, mode))
        return false
    }

    /// Gives the lock back; returns the tickets that have it now.
    mutating func release(_ mode: Mode) -> [Ticket] {
        switch mode {
        case .shared: self.sharedHolders -= 1
        case .exclusive: self.isHeldExclusively = false
        }
        return self.grantWaiting()
    }

    /// Takes a ticket out of the row. Returns whether it still waited, and the tickets that have the lock now because of it.
    mutating func abandon(_ ticket: Ticket) -> (waited: Bool, granted: [Ticket]) {
        guard let index = self.waiting.firstIndex(where: { $0.ticket == ticket }) else { return (false, []) }
        self.waiting.remove(at: index)
        return (true, self.grantWaiting())
    }

    private mutating func grantWaiting() -> [Ticket] {
        var granted: [Ticket] = []
        while let first = self.waiting.first, self.grant(first.mode) {
            granted.append(first.ticket)
            self.waiting.removeFirst()
        }
        return granted
    }

    private mutating func grant(_ mode: Mode) -> Bool {
        switch mode {
        case .shared where !self.isHeldExclusively:
            self.sharedHolders += 1
            return true
        case .exclusive where !self.isHeldExclusively && self.sharedHolders == 0:
            self.isHeldExclusively = true
            return true
        default:
            return false
        }
    }
}
