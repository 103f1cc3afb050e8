/// Gives out ports of a range.
struct PortAllocator {
    private let range: ClosedRange<Int>
    private var taken: Set<Int> = []

    init(range: ClosedRange<Int>) { self.range = range }

    /// A port that nobody has and that `isFree`. Begins at random, so that two supervisors with the same range seldom
    /// try the same one between the check and the instance's own bind.
    mutating func allocate(
        using randomness: inout some RandomNumberGenerator, isFree: (Int) -> Bool
    ) -> Int? {
        let first = Int.random(in: self.range, using: &randomness)
        for offset in 0..<self.range.count {
            let port = self.range.lowerBound + (first - self.range.lowerBound + offset) % self.range.count
            if !self.taken.contains(port), isFree(port) {
                self.taken.insert(port)
                return port
            }
        }
        return nil
    }

    /// Marks a port as given out.
    mutating func reserve(_ port: Int) { self.taken.insert(port) }

    /// Takes a port back.
    mutating func release(_ port: Int) { self.taken.remove(port) }
}
