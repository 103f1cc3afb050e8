import Testing

@testable import RouterCore

@Suite struct `A rate` {
    @Test(arguments: 0..<12) func `is kept exactly`(seed: Int) throws {
        var random = LoopRandom(seed: UInt64(seed))
        // Rates whose interval is not a whole number of nanoseconds.
        let requests = random.pick([3, 7, 1, 999_983, 60])
        let period = random.pick([1_000_000, 1_000_000_007, 60_000_000_000])
        let burst = 1 + random.below(5)
        let rate = TokenRate(try RequestRate(requests, per: .nanoseconds(period), burst: burst))
        var bucket = TokenBucket()
        // The tokens are a fraction whose denominator is the period.
        var tokens = UInt128(burst) * UInt128(period)
        var last: UInt64 = 0
        var now: UInt64 = 0
        for _ in 0..<500 {
            let isWaiting = random.below(3) == 0
            let wait = bucket.wait(rate)
            now +=
                isWaiting ? wait - min(wait, UInt64(random.below(2))) : UInt64(random.below(period / requests * 2 + 2))
            tokens = min(tokens + UInt128(now - last) * UInt128(requests), UInt128(burst) * UInt128(period))
            last = now
            bucket.settle(rate, now: now)
            let may = tokens >= UInt128(period)
            #expect(bucket.hasRoom(rate) == may)
            let missing = UInt128(period) - min(UInt128(period), tokens)
            #expect(UInt128(bucket.wait(rate)) == (missing + UInt128(requests) - 1) / UInt128(requests))
            if may {
                tokens -= UInt128(period)
                bucket.take(rate)
            }
        }
    }

    @Test func `bears the largest values, and a clock that stands still or jumps`() throws {
        let rate = TokenRate(try RequestRate(1_000_000, per: .seconds(86_400), burst: 100_000), dividedAmong: 1024)
        var bucket = TokenBucket()
        bucket.settle(rate, now: .max - 5)
        while bucket.hasRoom(rate) { bucket.take(rate) }
        let wait = bucket.wait(rate)
        bucket.settle(rate, now: 3)
        #expect(bucket.wait(rate) == wait)
        var other = bucket
        other.settle(rate, now: .max)
        #expect(other.wait(rate) == wait - 5)
        var never = TokenBucket(), slow = never
        slow.settle(rate, now: 0)
        while slow.hasRoom(rate) { slow.take(rate) }
        slow.settle(rate, now: .max)
        never.settle(rate, now: .max)
        #expect(slow == never)
    }

    @Test func `is divided among loops without a loss`() throws {
        let rate = try RequestRate(100, per: .seconds(1), burst: 8)
        let part = TokenRate(rate, dividedAmong: 4)
        var bucket = TokenBucket()
        var passed = 0
        for step in 0..<1000 {
            bucket.settle(part, now: UInt64(step) * 10_000_000)
            while bucket.hasRoom(part) {
                bucket.take(part)
                passed += 1
            }
        }
        // Two at once, and a quarter of a hundred in each of ten seconds.
        #expect(passed == 2 + 249)
        var small = TokenBucket()
        let tiny = TokenRate(rate, dividedAmong: 100)
        small.settle(tiny, now: 0)
        #expect(small.hasRoom(tiny))
    }

    @Test(arguments: [
        (0, 1000, 1), (1, 0, 1), (1, 1000, 0), (1_000_001, 1000, 1), (1, 86_401_000, 1), (1, 1000, 100_001),
    ])
    func `is refused out of bounds`(requests: Int, milliseconds: Int, burst: Int) {
        #expect(throws: RouterError.self) {
            try RequestRate(requests, per: .milliseconds(milliseconds), burst: burst)
        }
    }
}

@Suite struct `A table of buckets` {
    private let rate: TokenRate

    init() throws { self.rate = TokenRate(try RequestRate(1, per: .seconds(1), burst: 4)) }

    private func take(_ table: inout BucketTable, _ key: UInt64, now: UInt64) -> Bool {
        var bucket = table.bucket(key, self.rate, now: now)
        guard bucket.hasRoom(self.rate) else { return false }
        bucket.take(self.rate)
        table.store(key, bucket, self.rate)
        return true
    }

    @Test func `knows every bucket that is not full, up to its limit`() {
        var table = BucketTable(limit: 4096)
        var random = LoopRandom(seed: 1)
        let keys = (0..<1000).map { _ in random.next() }
        for round in 1...4 {
            for key in keys { #expect(self.take(&table, key, now: UInt64(round))) }
        }
        for key in keys { #expect(!self.take(&table, key, now: 5)) }
        #expect(table.capacity <= 4096)
    }

    @Test func `gives up full buckets first, and stays within its limit`() {
        var table = BucketTable(limit: 64)
        var random = LoopRandom(seed: 2)
        for _ in 0..<4 { _ = self.take(&table, 42, now: 0) }
        // Strangers that come once each are full again after a second; the one that overdid it is remembered.
        for second in 1...3 {
            for _ in 0..<20 { _ = self.take(&table, random.next() | 1 << 63, now: UInt64(second) * 1_000_000_000) }
        }
        #expect(table.bucket(42, self.rate, now: 3_000_000_000).missing == 1_000_000_000)
        for _ in 0..<10_000 { _ = self.take(&table, random.next(), now: 3_000_000_000) }
        #expect(table.capacity == 64)
    }

    /// A bucket that was given up is a full one: the table may forgive, and never accuses.
    @Test(arguments: 0..<4) func `never refuses what a table without a limit lets pass`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        var table = BucketTable(limit: 32)
        var model: [UInt64: TokenBucket] = [:]
        let keys = (0..<100).map { _ in random.next() }
        var now: UInt64 = 0
        for _ in 0..<5000 {
            now += UInt64(random.below(50_000_000))
            let key = random.pick(keys)
            var bucket = model[key] ?? TokenBucket()
            bucket.settle(self.rate, now: now)
            let may = bucket.hasRoom(self.rate)
            let does = self.take(&table, key, now: now)
            #expect(does || !may)
            if does, !may {
                // It forgave: from here on it may know of as much as there can be.
                bucket = TokenBucket()
                bucket.settle(self.rate, now: now)
                while bucket.hasRoom(self.rate) { bucket.take(self.rate) }
            } else if does {
                bucket.take(self.rate)
            }
            model[key] = bucket
        }
    }
}
