import Synchronization

/// Spreads restarts over time, so that instances that fall together, or were all down when the host came up, do not rise
/// together: jitter alone puts a thousand of them into the same first second.
struct RestartPacer: Sendable {
    private let perSecond: Int
    /// How many restarts are due in a second, by its number.
    private(set) var due: [Int64: Int] = [:]

    init(perSecond: Int) { self.perSecond = max(perSecond, 1) }

    /// The wait of a restart that wants to wait so long: as long, if that second has room, or until one that has.
    ///
    /// - Parameter now: The time since any fixed moment.
    mutating func delay(_ wanted: Duration, now: Duration) -> Duration {
        let time = now + max(wanted, .zero)
        var second = time.components.seconds
        while self.due[second, default: 0] >= self.perSecond { second += 1 }
        if self.due[second] == nil { self.due = self.due.filter { $0.key >= now.components.seconds } }
        self.due[second, default: 0] += 1
        return max(wanted, .zero) + .seconds(second - time.components.seconds)
    }
}

/// One pacer for all instances of a supervisor, by its clock.
final class RestartPacing: Sendable {
    private let pacer: Mutex<RestartPacer>
    private let now: @Sendable () -> Duration

    init(perSecond: Int, clock: any Clock<Duration>) {
        self.pacer = Mutex(RestartPacer(perSecond: perSecond))
        self.now = stopwatch(clock)
    }

    func delay(_ wanted: Duration) -> Duration {
        let now = self.now()
        return self.pacer.withLock { $0.delay(wanted, now: now) }
    }
}
