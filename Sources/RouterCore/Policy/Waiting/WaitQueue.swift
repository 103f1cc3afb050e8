import DequeModule

/// Requests that wait, bounded in number and in bytes: fair among clients, and for each client by deadline.
///
/// Clients take turns, so that one with a hundred waiting requests delays another's only one by one. When there is no
/// place, a newcomer takes that of the client who has the most, unless that would make the newcomer's the one with the
/// most; then the newcomer is refused. So one client alone can use all places, but only while nobody else wants any.
///
/// A value without a clock: what waits too long is dropped by whoever calls with the time, and reported.
struct WaitQueue<Ticket: Sendable>: Sendable {
    struct Entry: Sendable {
        var ticket: Ticket
        var client: ClientAddress
        /// Nanoseconds of uptime.
        var deadline: UInt64
        /// What is kept of the request meanwhile.
        var bytes: Int
    }

    enum Joining {
        /// It waits, and these do not any more, to make room for it.
        case waits(displaced: [Entry])
        case full
    }

    /// One client's requests, the most urgent first.
    private struct Line: Sendable {
        var entries: Deque<Entry> = []
        var bytes = 0
    }

    private var lines: [ClientAddress: Line] = [:]
    /// Whose turn it is; every client with a line once.
    private var turns: Deque<ClientAddress> = []
    private(set) var count = 0
    private(set) var bytes = 0

    init() {}

    var isEmpty: Bool { self.count == 0 }

    // MARK: Coming

    /// Lets a request wait.
    ///
    /// - Parameters:
    ///   - maxCount: how many may wait.
    ///   - maxBytes: how many bytes may be kept for them.
    mutating func join(_ entry: Entry, maxCount: Int, maxBytes: Int = .max) -> Joining {
        guard maxCount > 0, entry.bytes <= maxBytes else { return .full }
        var displaced: [Entry] = []
        while self.count >= maxCount || self.bytes > maxBytes - entry.bytes {
            let isByCount = self.count >= maxCount
            guard let victim = self.longest(byCount: isByCount), self.hasFewer(entry, victim, byCount: isByCount),
                let last = self.removeLast(of: victim)
            else {
                // Nobody is to lose a place for nothing.
                for entry in displaced.reversed() { self.insert(entry) }
                return .full
            }
            displaced.append(last)
        }
        self.insert(entry)
        return .waits(displaced: displaced)
    }

    /// Gives back the place of a request that was called up in vain: it is the next one, whatever the limits say.
    mutating func putBack(_ entry: Entry) {
        self.count += 1
        self.bytes += entry.bytes
        self.lines[entry.client, default: Line()].bytes += entry.bytes
        self.lines[entry.client]?.entries.prepend(entry)
        self.turns.removeAll { $0 == entry.client }
        self.turns.prepend(entry.client)
    }

    private mutating func insert(_ entry: Entry) {
        self.count += 1
        self.bytes += entry.bytes
        if self.lines[entry.client] == nil { self.turns.append(entry.client) }
        var line = self.lines.removeValue(forKey: entry.client) ?? Line()
        line.bytes += entry.bytes
        // Nearly always the last: deadlines are as far away for one as for the next.
        var position = line.entries.endIndex
        while position > line.entries.startIndex, line.entries[position - 1].deadline > entry.deadline { position -= 1 }
        line.entries.insert(entry, at: position)
        self.lines[entry.client] = line
    }

    /// The client with the most; of several, the one whose turn comes last.
    private func longest(byCount: Bool) -> ClientAddress? {
        var best: ClientAddress?
        var most = 0
        for client in self.turns.reversed() {
            let size = self.size(client, byCount)
            if size > most {
                most = size
                best = client
            }
        }
        return best
    }

    private func size(_ client: ClientAddress, _ byCount: Bool) -> Int {
        guard let line = self.lines[client] else { return 0 }
        return byCount ? line.entries.count : line.bytes
    }

    private func hasFewer(_ entry: Entry, _ victim: ClientAddress, byCount: Bool) -> Bool {
        self.size(entry.client, byCount) + (byCount ? 1 : entry.bytes) < self.size(victim, byCount)
    }

    private mutating func removeLast(of client: ClientAddress) -> Entry? {
        guard let position = self.lines[client]?.entries.indices.last else { return nil }
        return self.remove(client, position)
    }

    private mutating func remove(_ client: ClientAddress, _ position: Int) -> Entry? {
        guard var line = self.lines.removeValue(forKey: client) else { return nil }
        let entry = line.entries.remove(at: position)
        line.bytes -= entry.bytes
        self.count -= 1
        self.bytes -= entry.bytes
        if line.entries.isEmpty {
            self.turns.removeAll { $0 == client }
        } else {
            self.lines[client] = line
        }
        return entry
    }

    // MARK: Going

    /// The next request whose deadline is not over. The others before it are dropped, and told to `expired`.
    ///
    /// - Parameter mayGo: whether a client's request can be called up now; others are passed over, and miss their turn.
    mutating func next(
        now: UInt64, mayGo: (ClientAddress) -> Bool = { _ in true }, expired: (Entry) -> Void
    ) -> Entry? {
        // In a row: after as many as there are, nobody may go.
        var passedOver = 0
        while passedOver < self.turns.count, let client = self.turns.popFirst() {
            self.turns.append(client)
            guard mayGo(client) else {
                passedOver += 1
                continue
            }
            passedOver = 0
            guard let position = self.lines[client]?.entries.indices.first, let entry = self.remove(client, position)
            else { continue }
            if entry.deadline > now { return entry }
            expired(entry)
        }
        return nil
    }

    /// Takes out a request of a client, because it gave up; nil when it does not wait.
    mutating func remove(_ client: ClientAddress, where isWanted: (Ticket) -> Bool) -> Entry? {
        guard let position = self.lines[client]?.entries.firstIndex(where: { isWanted($0.ticket) }) else { return nil }
        return self.remove(client, position)
    }
}
