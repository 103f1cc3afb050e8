/// Keeps the time of what an HTTP/2 client owes its connection, apart from its requests. Asked once a tick.
struct HTTP2Watch {
    enum Verdict: Equatable {
        case good
        /// It has not begun, or not acknowledged the settings.
        case opensTooSlowly
        /// It does not complete a header block or a frame.
        case isStuck
        /// It does not answer the announcement of the end.
        case ignoresFarewell
    }

    private let since: UInt64
    private var unfinished: (what: HTTP2Connection.Unfinished, since: UInt64)?
    private var announced: UInt64?

    init(now: UInt64) { self.since = now }

    /// - Parameter isRead: whether what the client sends is read at the moment.
    mutating func look(
        _ connection: borrowing HTTP2Connection, now: UInt64, isRead: Bool, head: UInt64, farewell: UInt64
    ) -> Verdict {
        if connection.isOpening, now &- min(now, self.since) > head { return .opensTooSlowly }
        if let what = connection.unfinished, isRead {
            if let known = self.unfinished, known.what == what {
                if now &- min(now, known.since) > head { return .isStuck }
            } else {
                self.unfinished = (what, now)
            }
        } else {
            self.unfinished = nil
        }
        guard connection.farewell == .announced else { return .good }
        let announced = self.announced ?? now
        self.announced = announced
        return now &- min(now, announced) > farewell ? .ignoresFarewell : .good
    }
}
