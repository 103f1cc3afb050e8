/// Decides whether requests wait for an application's first instance, or are answered at once that there is none.
///
/// ```
///   ready ──no instance──▶ waiting ──its time is over──▶ over
///     ▲                       │                           │
///     └───────an instance─────┴───────────────────────────┘
/// ```
///
/// While there are instances, requests may wait as well: for the moment between the end of the last one and its being
/// noticed. The time counts from the last instance, not from each request, so that an application that cannot start does
/// not keep every visitor waiting.
struct HoldWindow: Sendable {
    private enum State: Equatable {
        case ready
        case waiting(timer: Int)
        case over
    }

    private var state = State.ready
    private var lastTimer = 0

    /// - Parameters:
    ///   - isServed: whether there are to be instances, and some may come.
    ///   - isReady: whether one is ready.
    /// - Returns: whether requests wait; and a timer, if one is to be started, to be handed to ``end(_:)`` when it is over.
    mutating func step(isServed: Bool, isReady: Bool) -> (isHolding: Bool, timer: Int?) {
        guard isServed else {
            self.state = .ready
            return (false, nil)
        }
        if isReady {
            self.state = .ready
            return (true, nil)
        }
        switch self.state {
        case .ready:
            self.lastTimer += 1
            self.state = .waiting(timer: self.lastTimer)
            return (true, self.lastTimer)
        case .waiting: return (true, nil)
        case .over: return (false, nil)
        }
    }

    /// A timer is over. False when it means nothing any more.
    mutating func end(_ timer: Int) -> Bool {
        guard self.state == .waiting(timer: timer) else { return false }
        self.state = .over
        return true
    }
}
