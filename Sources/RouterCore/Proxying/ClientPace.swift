/// How fast a client has to move bytes.
struct PaceLimit {
    /// Bytes a second; 0 for no limit but ``stall``.
    var perSecond: Int
    /// How long a client may take for its first bytes, in nanoseconds.
    var grace: UInt64
    /// How long a client may move nothing, whatever it has moved before, in nanoseconds.
    var stall: UInt64
}

/// Whether a client moves bytes as fast as it must, sending or taking them: an account of time.
///
/// It starts with the grace. Bytes that move pay in the time that they may take, up to the longest pause that is allowed;
/// the time in which the client is waited for is taken out. So a client that has been fast may pause, one that trickles
/// may not, and the time in which somebody else is slow costs nothing. Looked at once a tick; a request pays nothing.
struct ClientPace {
    /// What has moved as of the last look.
    private var moved = 0
    /// When it was looked at last; nil when the client was not waited for then.
    private var last: UInt64?
    /// Since when nothing has moved.
    private var still: UInt64 = 0
    private var account: UInt64?

    /// The client is not waited for.
    mutating func rest() { self.last = nil }

    /// Whether the client, which is waited for, is too slow.
    ///
    /// - Parameters:
    ///   - moved: how many bytes have moved in all.
    ///   - isPaced: whether speed matters; else only that it does not stand still.
    mutating func isTooSlow(now: UInt64, moved: Int, isPaced: Bool, _ limit: PaceLimit) -> Bool {
        let gained = max(0, moved - self.moved)
        self.moved = moved
        var account = self.account ?? min(limit.grace, limit.stall)
        if limit.perSecond > 0 {
            // More than this is as good as the longest pause, and can overflow nothing.
            let seconds = min(UInt64(gained) / UInt64(limit.perSecond), 1_000_000)
            let rest = UInt64(gained) % UInt64(limit.perSecond) * 1_000_000_000 / UInt64(limit.perSecond)
            account = min(account &+ seconds &* 1_000_000_000 &+ rest, limit.stall)
        }
        defer {
            self.account = account
            self.last = now
        }
        guard let last = self.last else {
            self.still = now
            return false
        }
        if gained > 0 { self.still = now }
        if now &- min(now, self.still) > limit.stall { return true }
        guard isPaced, limit.perSecond > 0 else { return false }
        let spent = now &- min(now, last)
        let isTooSlow = spent > account
        account -= min(spent, account)
        return isTooSlow
    }
}
