import SlugStore
import SlugStoreTesting
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite struct RetentionTests {
    /// Slug `number`, last used that many days after the beginning.
    private func slug(_ number: Int, bytes: Int64 = 10) throws -> RetentionPolicy.Candidate {
        let digits = String(number, radix: 16)
        let id = try #require(SlugID("sha256:" + String(repeating: "0", count: 64 - digits.count) + digits))
        return RetentionPolicy.Candidate(id: id, lastUse: self.day(number), bytes: bytes)
    }

    private func day(_ number: Int) -> Date { Date(timeIntervalSince1970: Double(number) * 86_400) }

    @Test func `without limits everything stays`() throws {
        let slugs = try (1...20).map { try self.slug($0) }
        #expect(RetentionPolicy().expired(slugs, keeping: [], now: self.day(1_000)).isEmpty)
    }

    @Test func `the last so many stay, and what is protected counts`() throws {
        let slugs = try (1...6).map { try self.slug($0) }
        let policy = RetentionPolicy(keepLast: 3)
        #expect(policy.expired(slugs, keeping: [], now: self.day(7)) == slugs[0..<3].map(\.id))
        #expect(policy.expired(slugs, keeping: [slugs[0].id], now: self.day(7)) == slugs[1..<4].map(\.id))
        #expect(RetentionPolicy(keepLast: 0).expired(slugs, keeping: [], now: self.day(7)).count == 5)
    }

    @Test func `what is old goes`() throws {
        let slugs = try (1...6).map { try self.slug($0) }
        let policy = RetentionPolicy(maxAge: 2 * 86_400)
        #expect(policy.expired(slugs, keeping: [slugs[1].id], now: self.day(6)) == [0, 2].map { slugs[$0].id })
    }

    @Test func `the budget is for the newest`() throws {
        let slugs = try (1...6).map { try self.slug($0, bytes: 10) }
        let policy = RetentionPolicy(maxBytes: 35)
        #expect(policy.expired(slugs, keeping: [], now: self.day(7)) == slugs[0..<3].map(\.id))
        #expect(policy.expired(slugs, keeping: [slugs[0].id], now: self.day(7)) == slugs[1..<4].map(\.id))
    }

    /// Of any slugs and any limits: nothing protected goes, never more than allowed stay, and more generous limits never make
    /// more go.
    @Test(arguments: 0..<200) func `any policy keeps its word`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let slugs = try (1...12).map { try self.slug($0, bytes: Int64.random(in: 0...50, using: &random)) }.shuffled()
        let protected = Set(slugs.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }.map(\.id))
        let policy = RetentionPolicy(
            keepLast: Int.random(in: 1...14, using: &random),
            maxAge: Double.random(in: 1...14, using: &random) * 86_400,
            maxBytes: Int64.random(in: 0...600, using: &random))
        let expired = policy.expired(slugs, keeping: protected, now: self.day(13))
        let kept = slugs.filter { !expired.contains($0.id) }
        let free = kept.filter { !protected.contains($0.id) }
        #expect(protected.isDisjoint(with: expired))
        #expect(free.isEmpty || kept.count <= policy.keepLast ?? 0)
        #expect(free.isEmpty || kept.reduce(0) { $0 + $1.bytes } <= policy.maxBytes ?? 0)
        #expect(free.allSatisfy { self.day(13).timeIntervalSince($0.lastUse) <= policy.maxAge ?? 0 })
        var generous = policy
        generous.keepLast = nil
        #expect(Set(generous.expired(slugs, keeping: protected, now: self.day(13))).isSubset(of: expired))
    }
}
