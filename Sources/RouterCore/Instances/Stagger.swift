/// When things that must end within some time end, so that they are spread evenly over it.
struct Stagger {
    /// Shorter waits are not worth a timer: what falls due within one is done at once.
    private static let step = Duration.milliseconds(10)

    private let count: Int
    private let span: Duration
    private(set) var done = 0
    private(set) var passed = Duration.zero

    /// - Parameters:
    ///   - count: how many there are.
    ///   - span: over how long they are spread. Each ends in the middle of its own part of it.
    init(count: Int, over span: Duration) {
        self.count = count
        self.span = max(span, .zero)
    }

    /// How long to wait, and how many end then; nil when nothing is left.
    mutating func next() -> (wait: Duration, ends: Int)? {
        guard self.done < self.count else { return nil }
        let from = self.passed
        let due = max(self.span * (2 * self.done + 1) / (2 * self.count), from)
        var last = self.done + 1
        while last < self.count, self.span * (2 * last + 1) / (2 * self.count) <= due + Self.step { last += 1 }
        defer { self.done = last }
        self.passed = due
        return (due - from, last - self.done)
    }
}
