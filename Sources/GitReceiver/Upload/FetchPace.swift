/// Whether a client takes its pack fast enough to keep its place. Pure: it is told what was sent and how long that took.
///
/// A client that takes nothing is found by ``SideBandChannel``. This finds one that takes a byte now and then: only the time
/// in which the server waits for it counts, and the first part of that is free. So a fetch ends, whatever its client does,
/// after the time of grace and the time that its pack takes at the slowest pace.
struct FetchPace: Sendable {
    /// The fewest bytes a second.
    let rate: Int
    let grace: Duration
    private var bytes = 0
    private var waited = Duration.zero

    init(rate: Int, grace: Duration) {
        self.rate = rate
        self.grace = grace
    }

    /// Throws if the client is too slow.
    mutating func sent(_ bytes: Int, in time: Duration) throws(GitReceiverError) {
        self.bytes += bytes
        self.waited += time
        let owed = max(0, (self.waited - self.grace) / .seconds(1)) * Double(self.rate)
        guard Double(self.bytes) >= owed else {
            throw GitReceiverError(
                .deadlineExceeded,
                "The client takes fewer than \(self.rate) bytes a second, the limit of this server; "
                    + "fetch less at once, as with --depth.")
        }
    }
}
