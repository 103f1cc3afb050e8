/// Whether a client takes or sends its pack fast enough to keep its place. Pure: it is told what was moved and how long that
/// took.
///
/// A client that takes nothing is found by ``SideBandChannel``, and one that sends nothing by the HTTP server. This finds
/// one that moves a byte now and then: only the time in which the server waits for it counts, and the first part of that
/// is free. So a transfer ends, whatever its client does, after the time of grace and the time that its bytes take at the
/// slowest pace.
struct ClientPace: Sendable {
    enum Direction: String, Sendable { case takes, sends }

    let direction: Direction
    /// The fewest bytes a second.
    let rate: Int
    let grace: Duration
    private var bytes = 0
    private var waited = Duration.zero

    init(_ direction: Direction, rate: Int, grace: Duration) {
        self.direction = direction
        self.rate = rate
        self.grace = grace
    }

    /// Throws if the client is too slow.
    mutating func moved(_ bytes: Int, in time: Duration) throws(GitReceiverError) {
        self.bytes += bytes
        self.waited += time
        let owed = max(0, (self.waited - self.grace) / .seconds(1)) * Double(self.rate)
        guard Double(self.bytes) >= owed else {
            let advice = self.direction == .takes ? "fetch less at once, as with --depth" : "push fewer commits at once"
            throw GitReceiverError(
                .deadlineExceeded,
                "The client \(self.direction) fewer than \(self.rate) bytes a second, the limit of this server; "
                    + "\(advice).")
        }
    }
}
