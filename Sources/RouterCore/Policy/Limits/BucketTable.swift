/// The buckets of one event loop, for all applications, bounded in number.
///
/// A bucket's place is one of eight that its key decides. When all eight are taken, a full bucket gives its place up,
/// since it says nothing; else the one that will be full the soonest, which forgives its owner the least. The table
/// starts small and grows while buckets that are not full would have to go.
struct BucketTable {
    private struct Entry {
        /// 0 for none.
        var key: UInt64 = 0
        var bucket = TokenBucket()
        /// What comes back in a nanosecond, by which a stranger's bucket is settled.
        var refill: UInt64 = 1
    }

    private static var ways: Int { 8 }

    private var entries: [Entry] = []
    private let limit: Int

    /// - Parameter limit: the most buckets; rounded up to a power of two of at least eight.
    init(limit: Int) {
        var rounded = Self.ways
        while rounded < min(limit, 1 << 30) { rounded *= 2 }
        self.limit = rounded
    }

    /// How many buckets there is memory for.
    var capacity: Int { self.entries.count }

    /// The bucket of a key as of now; a full one when there is none. Changes nothing.
    ///
    /// - Parameter key: must not be computable by clients, or they could fill the places of others.
    func bucket(_ key: UInt64, _ rate: TokenRate, now: UInt64) -> TokenBucket {
        var bucket = TokenBucket()
        if let position = self.position(of: key) { bucket = self.entries[position].bucket }
        bucket.settle(rate, now: now)
        return bucket
    }

    /// Keeps what became of a bucket.
    mutating func store(_ key: UInt64, _ bucket: TokenBucket, _ rate: TokenRate) {
        let entry = Entry(key: key, bucket: bucket, refill: rate.refill)
        if let position = self.position(of: key) {
            self.entries[position] = entry
        } else {
            self.insert(entry, now: bucket.since)
        }
    }

    private func set(of key: UInt64) -> Range<Int> {
        let start = Int(truncatingIfNeeded: key) & (self.entries.count - 1) & ~(Self.ways - 1)
        return start..<(start + Self.ways)
    }

    private func position(of key: UInt64) -> Int? {
        guard !self.entries.isEmpty else { return nil }
        for position in self.set(of: key) where self.entries[position].key == key { return position }
        return nil
    }

    private mutating func insert(_ entry: Entry, now: UInt64) {
        if self.entries.isEmpty { self.entries = Array(repeating: Entry(), count: Self.ways) }
        while true {
            var best = self.set(of: entry.key).lowerBound
            var bestWait = UInt64.max
            for position in self.set(of: entry.key) {
                let wait = self.timeUntilFull(self.entries[position], now: now)
                if wait < bestWait {
                    bestWait = wait
                    best = position
                }
                if wait == 0 { break }
            }
            if bestWait == 0 || self.entries.count >= self.limit {
                self.entries[best] = entry
                return
            }
            self.grow()
        }
    }

    private func timeUntilFull(_ entry: Entry, now: UInt64) -> UInt64 {
        if entry.key == 0 { return 0 }
        let needed = (entry.bucket.missing + entry.refill - 1) / entry.refill
        let elapsed = now - min(now, entry.bucket.since)
        return needed <= elapsed ? 0 : needed - elapsed
    }

    private mutating func grow() {
        let old = self.entries
        self.entries = Array(repeating: Entry(), count: min(old.count * 4, self.limit))
        for entry in old where entry.key != 0 {
            // Every set of the larger table takes from one set of the smaller, so that there is room for all.
            for position in self.set(of: entry.key) where self.entries[position].key == 0 {
                self.entries[position] = entry
                break
            }
        }
    }
}
