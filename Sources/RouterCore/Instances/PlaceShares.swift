/// How the places of an application's instances are divided among clients.
///
/// A client that sends and takes as slowly as it may holds a place for as long as it likes, at next to no cost. So it can
/// have many of them, but not all. While an instance has open places, nobody is looked at: that costs nothing, and is how
/// it nearly always is. The places beyond those are scarce, and each client may hold only its share of them. Who has that
/// waits, and goes on when one of its own requests ends or open places are free again; others go before it.
struct PlaceRule: Equatable {
    /// How many places of an instance are open to everybody.
    private(set) var open = Int.max
    /// How many scarce places one client may hold, with all instances of the application.
    private(set) var perClient = Int.max

    /// No shares.
    init() {}

    /// - Parameters:
    ///   - limits: how many places each instance has.
    ///   - percent: how much of an instance's places is open, and how much of the scarce ones one client may hold; both
    ///     rounded up, so that there is always one. 100 for no shares.
    init(limits: [Int], percent: Int) {
        guard percent < 100, let least = limits.min() else { return }
        func part(_ count: Int) -> Int { count / 100 * percent + (count % 100 * percent + 99) / 100 }
        let open = max(1, part(least))
        // Limits are of any size; their sum is not to overflow.
        let scarce = limits.reduce(0) { $0 + (min($1, 1 << 32) - min(open, 1 << 32)) }
        self.open = open
        self.perClient = max(1, part(scarce))
    }
}

/// Who holds how many scarce places of an application.
struct PlaceShares {
    private var held: [ClientAddress: Int] = [:]

    /// Whether a client holds fewer than so many.
    func hasRoom(_ client: ClientAddress, limit: Int) -> Bool { self.held[client, default: 0] < limit }

    /// Counts one more; false when the client has so many already.
    mutating func take(_ client: ClientAddress, limit: Int) -> Bool {
        let count = self.held[client, default: 0]
        guard count < limit else { return false }
        self.held[client] = count + 1
        return true
    }

    /// The client has one less.
    mutating func give(_ client: ClientAddress) {
        guard let count = self.held[client] else { return }
        self.held[client] = count > 1 ? count - 1 : nil
    }

    /// How many are held in all.
    var total: Int { self.held.values.reduce(0, +) }
}
