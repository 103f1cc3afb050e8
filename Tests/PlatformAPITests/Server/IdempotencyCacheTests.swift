import Testing

@testable import PlatformAPI

struct IdempotencyCacheTests {
    private func key(_ key: String) -> IdempotencyCache<String>.Key {
        .init(principal: "ada", operation: "POST /apps", key: key)
    }

    private func name(_ decision: IdempotencyCache<String>.Decision) -> String {
        switch decision {
        case .run: "run"
        case .replay(let answer): "replay \(answer)"
        case .inProgress: "in progress"
        case .mismatch: "mismatch"
        }
    }

    @Test func `runs once, then answers as then`() {
        var cache = IdempotencyCache<String>(limit: 10, lifetime: .seconds(60))
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .zero)) == "run")
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .zero)) == "in progress")
        cache.end(key("1"), answer: "created")
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .seconds(59))) == "replay created")
        #expect(name(cache.begin(key("1"), fingerprint: 2, now: .seconds(59))) == "mismatch")
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .seconds(60))) == "run")
    }

    @Test func `lets a request that failed run again`() {
        var cache = IdempotencyCache<String>(limit: 10, lifetime: .seconds(60))
        _ = cache.begin(key("1"), fingerprint: 1, now: .zero)
        cache.end(key("1"), answer: nil)
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .seconds(30))) == "run")
        cache.end(key("1"), answer: "second")
        // The first attempt's time is over, the second's is not.
        #expect(name(cache.begin(key("1"), fingerprint: 1, now: .seconds(70))) == "replay second")
    }

    @Test func `forgets the oldest when it is full`() {
        var cache = IdempotencyCache<String>(limit: 3, lifetime: .seconds(60))
        for number in 0..<5000 {
            _ = cache.begin(key("\(number)"), fingerprint: 1, now: .zero)
            cache.end(key("\(number)"), answer: "\(number)")
        }
        #expect(cache.count == 3)
        #expect(name(cache.begin(key("4999"), fingerprint: 1, now: .zero)) == "replay 4999")
        #expect(name(cache.begin(key("4990"), fingerprint: 1, now: .zero)) == "run")
    }
}
