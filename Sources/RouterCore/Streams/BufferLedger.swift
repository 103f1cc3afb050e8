/// What the connections of one loop hold together: bytes that wait to be sent, and input that waits to be used.
///
/// Who holds bytes tells of every change (``change(by:)``). Up to half the limit nothing happens. Above it the ledger is
/// tight: nothing more is read from whoever fills a buffer until that is empty. Above seven eighths it is full, and
/// somebody has to go; the last eighth is for what the current event still brings. For in the middle of an event nobody is
/// sent away: that is done behind it (``settle()``).
final class BufferLedger {
    private(set) var held = 0
    /// The most there has been.
    private(set) var peak = 0
    private var tightLine = Int.max
    private var fullLine = Int.max
    /// Whether it has become full, and nothing was done about it yet.
    private(set) var isDue = false

    /// How much may be held, in bytes.
    var limit = Int.max {
        didSet {
            self.tightLine = self.limit / 2
            self.fullLine = self.limit - self.limit / 8
        }
    }
    /// Makes room.
    var relieve: () -> Void = {}
    /// Has those tell of a change whose share changes without a call. Called with every tick.
    var recount: () -> Void = {}

    var isTight: Bool { self.held > self.tightLine }
    var isFull: Bool { self.held > self.fullLine }

    @inline(__always)
    func change(by count: Int) {
        self.held &+= count
        if self.held > self.tightLine { self.rise() }
    }

    private func rise() {
        self.peak = max(self.peak, self.held)
        if self.isFull { self.isDue = true }
    }

    /// Makes room if it must be. Called after each event, when nobody is in the middle of something.
    func settle() {
        guard self.isDue else { return }
        self.isDue = false
        if self.isFull { self.relieve() }
    }
}
