/// What one event loop remembers about credentials: hashes with a secret key of those that were verified, with the
/// answer. Small and fixed; a newcomer takes the place of another one, which is then verified again. What was wrong never
/// takes the place of what was right: anybody can make up any number of passwords.
struct CredentialCache {
    private static var ways: Int { 4 }

    /// 63 bits of the hash, and the answer as the lowest one; 0 for none.
    private var entries: [UInt64] = []
    private let limit: Int
    private var turn = 0

    /// - Parameter limit: the most credentials; rounded up to a power of two of at least four.
    init(limit: Int = 1024) {
        var rounded = Self.ways
        while rounded < min(limit, 1 << 20) { rounded *= 2 }
        self.limit = rounded
    }

    private func set(of hash: UInt64) -> Range<Int> {
        let start = Int(truncatingIfNeeded: hash >> 1) & (self.limit - 1) & ~(Self.ways - 1)
        return start..<(start + Self.ways)
    }

    /// Whether these credentials are right, if that is known.
    func answer(_ hash: UInt64) -> Bool? {
        guard !self.entries.isEmpty else { return nil }
        for position in self.set(of: hash) where self.entries[position] | 1 == hash | 1 {
            return self.entries[position] & 1 == 1
        }
        return nil
    }

    mutating func remember(_ hash: UInt64, isRight: Bool) {
        if self.entries.isEmpty { self.entries = Array(repeating: 0, count: self.limit) }
        let set = self.set(of: hash)
        let entry = hash & ~1 | (isRight ? 1 : 0)
        let position =
            set.first { self.entries[$0] | 1 == hash | 1 } ?? set.first { self.entries[$0] == 0 }
            ?? set.first { self.entries[$0] & 1 == 0 } ?? (isRight ? set.lowerBound + self.turn : nil)
        guard let position else { return }
        self.entries[position] = entry
        self.turn = (self.turn + 1) & (Self.ways - 1)
    }
}
