/// When a start that failed is tried again: nothing that happens says that it could succeed now, for what stood in its way (a
/// full disk, a directory that is gone) is outside. One try waits at a time.
struct StartRetry: Sendable {
    private static let (shortest, longest) = (Duration.seconds(1), Duration.seconds(60))

    private var delay = Self.shortest
    private var isWaiting = false

    /// Takes how a pass over the live release went.
    ///
    /// - Returns: After which time there is to be another; `nil`: none, or one is waited for.
    mutating func step(hasFailed: Bool) -> Duration? {
        guard hasFailed else {
            self.delay = Self.shortest
            return nil
        }
        guard !self.isWaiting else { return nil }
        self.isWaiting = true
        defer { self.delay = min(self.delay * 2, Self.longest) }
        return self.delay
    }

    /// The time is over.
    mutating func end() { self.isWaiting = false }
}
