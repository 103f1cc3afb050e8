/// Which requests were answered already, so that one sent again is answered again and not carried out again.
///
/// A value without a clock: the caller says what time it is.
struct IdempotencyCache<Answer> {
    /// What makes a request the same as another.
    struct Key: Hashable {
        var principal: String
        /// Method and path.
        var operation: String
        /// What the client sent as `Idempotency-Key`.
        var key: String
    }

    /// What to do with a request.
    enum Decision {
        /// Carry it out, and say how it ended.
        case run
        /// It was carried out; answer as then.
        case replay(Answer)
        /// It is being carried out.
        case inProgress
        /// The key was used for something else.
        case mismatch
    }

    private struct Entry {
        var fingerprint: Int
        var expires: Duration
        var answer: Answer?
    }

    private let limit: Int
    private let lifetime: Duration
    private var entries: [Key: Entry] = [:]
    /// Keys by age, oldest first from `head` on. A key whose entry was dropped stays until its turn comes.
    private var order: [(key: Key, expires: Duration)] = []
    private var head = 0

    init(limit: Int, lifetime: Duration) {
        self.limit = limit
        self.lifetime = lifetime
    }

    /// How many requests are remembered.
    var count: Int { self.entries.count }

    /// Asks about a request with a body of this fingerprint.
    mutating func begin(_ key: Key, fingerprint: Int, now: Duration) -> Decision {
        self.expire(now)
        if let entry = self.entries[key] {
            if entry.fingerprint != fingerprint { return .mismatch }
            return entry.answer.map { .replay($0) } ?? .inProgress
        }
        let expires = now + self.lifetime
        self.entries[key] = Entry(fingerprint: fingerprint, expires: expires, answer: nil)
        self.order.append((key, expires))
        return .run
    }

    /// Remembers how a request was answered. Without an answer it may be sent again.
    mutating func end(_ key: Key, answer: Answer?) {
        if let answer { self.entries[key]?.answer = answer } else { self.entries[key] = nil }
    }

    /// Forgets what is too old, and the oldest when there is no room for one more.
    private mutating func expire(_ now: Duration) {
        while self.head < self.order.count {
            let oldest = self.order[self.head]
            let isStale = self.entries[oldest.key]?.expires != oldest.expires
            guard isStale || oldest.expires <= now || self.entries.count >= self.limit else { break }
            if !isStale { self.entries[oldest.key] = nil }
            self.head += 1
        }
        if self.head > 1024, self.head * 2 > self.order.count {
            self.order.removeFirst(self.head)
            self.head = 0
        }
    }
}
