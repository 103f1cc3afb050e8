internal import DequeModule
internal import Synchronization

/// The lines that one reader has yet to take. Writers never wait for it: when it is full, the oldest line goes.
final class TailBuffer: Sendable {
    private struct State {
        var lines: Deque<LogLine> = []
        var dropped = 0
        /// The newest dropped line, whose sequence and time the notice takes.
        var lastDropped: LogLine?
        var finished = false
        var cancelled = false
        var waiter: CheckedContinuation<LogLine?, Never>?

        mutating func take() -> LogLine? {
            if let last = self.lastDropped {
                let text = "… \(self.dropped) \(self.dropped == 1 ? "line" : "lines") dropped"
                (self.dropped, self.lastDropped) = (0, nil)
                return LogLine(sequence: last.sequence, timestamp: last.timestamp, source: .platform, text: text)
            }
            return self.lines.popFirst()
        }
    }

    let filter: LogFilter
    private let limit: Int
    private let state: Mutex<State>

    /// Makes a buffer of `limit` lines that begins with `backlog`, which may be longer.
    init(filter: LogFilter, limit: Int, backlog: [LogLine], finished: Bool = false) {
        self.filter = filter
        self.limit = max(limit, backlog.count)
        self.state = Mutex(State(lines: Deque(backlog), finished: finished))
    }

    /// Adds lines that follow all earlier ones.
    func append(_ lines: [LogLine]) {
        let resumption = self.state.withLock { state -> (CheckedContinuation<LogLine?, Never>, LogLine)? in
            guard !state.finished else { return nil }
            for line in lines where self.filter.matches(line) {
                if state.lines.count >= self.limit, let oldest = state.lines.popFirst() {
                    state.dropped += 1
                    state.lastDropped = oldest
                }
                state.lines.append(line)
            }
            guard let waiter = state.waiter, let line = state.take() else { return nil }
            state.waiter = nil
            return (waiter, line)
        }
        resumption?.0.resume(returning: resumption?.1)
    }

    /// Ends the stream after the lines that are already here.
    func finish() {
        let waiter = self.state.withLock { state in
            state.finished = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// The next line; `nil` at the end or when the calling task is cancelled.
    func next() async -> LogLine? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (line, due, displaced) = self.state.withLock {
                    state -> (LogLine?, Bool, CheckedContinuation<LogLine?, Never>?) in
                    if state.cancelled { return (nil, true, nil) }
                    if let line = state.take() { return (line, true, nil) }
                    if state.finished { return (nil, true, nil) }
                    // One reader at a time: a second one takes the first one's place, which then sees the end.
                    let displaced = state.waiter
                    state.waiter = continuation
                    return (nil, false, displaced)
                }
                displaced?.resume(returning: nil)
                if due { continuation.resume(returning: line) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.cancelled = true
                state.finished = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}
