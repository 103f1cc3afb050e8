/// Measures how long an exchange has waited for the same thing.
///
/// Asked with every tick and not with every event: what is waited for is compared with what it was at the last tick, so
/// that a request pays for one store of the time.
struct ExchangeWatch {
    /// When something happened last.
    var lastEvent: UInt64
    private var since: UInt64
    private var waiting: ExchangeMachine.Waiting?
    private var number = 0
    /// The client's pace with its request's body, and with what it is sent.
    var sending = ClientPace()
    var taking = ClientPace()

    init(now: UInt64) {
        self.lastEvent = now
        self.since = now
    }

    /// Nanoseconds since it waits for this, or since the last bytes of it.
    mutating func waited(now: UInt64, waiting: ExchangeMachine.Waiting?, number: Int) -> UInt64 {
        if waiting != self.waiting || number != self.number {
            if number != self.number { self.sending = ClientPace() }
            self.waiting = waiting
            self.number = number
            self.since = self.lastEvent
        }
        switch waiting {
        case .requestBody?, .response?, .tunnel?: self.since = max(self.since, self.lastEvent)
        default: break
        }
        return now &- min(now, self.since)
    }
}
