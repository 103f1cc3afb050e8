/// Time since a start on a clock whose type is unknown, readable from any thread and from C callbacks.
struct Stopwatch: Sendable {
    /// The time since the stopwatch was made.
    let elapsed: @Sendable () -> Duration

    init(_ clock: any Clock<Duration>) {
        func start<C: Clock>(_ clock: C) -> @Sendable () -> Duration where C.Duration == Duration {
            let start = clock.now
            return { start.duration(to: clock.now) }
        }
        self.elapsed = start(clock)
    }
}

/// A time limit for work on a blocking thread, which also ends with its task.
struct Deadline: Sendable {
    private let stopwatch: Stopwatch
    private let limit: Duration
    private let what: String
    private let flag: CancellationFlag

    init(_ clock: any Clock<Duration>, limit: Duration, what: String, flag: CancellationFlag) {
        self.stopwatch = Stopwatch(clock)
        self.limit = limit
        self.what = what
        self.flag = flag
    }

    var isOver: Bool { self.flag.isSet || self.stopwatch.elapsed() > self.limit }

    func check() throws(GitReceiverError) {
        try self.flag.check()
        if self.stopwatch.elapsed() > self.limit { throw self.error }
    }

    var error: GitReceiverError {
        GitReceiverError(.deadlineExceeded, "\(self.what) took longer than \(self.limit.components.seconds) seconds")
    }
}
