import Synchronization

/// How much of something all requests may hold at the same time: open packs, objects that are planned or received.
final class Budget: Sendable {
    /// A part of it, which others may use once nobody holds this any more.
    final class Share: Sendable {
        private let budget: Budget
        private let count: Int

        fileprivate init(_ budget: Budget, _ count: Int) {
            self.budget = budget
            self.count = count
        }

        deinit { self.budget.free.withLock { $0 += self.count } }
    }

    private let free: Mutex<Int>

    init(_ count: Int) { self.free = Mutex(count) }

    /// Takes so many, or nil if there are not so many left.
    func take(_ count: Int) -> Share? {
        self.free.withLock { free in
            guard free >= count else { return nil }
            free -= count
            return Share(self, count)
        }
    }
}
