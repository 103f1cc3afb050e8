import Synchronization

/// What one instance has under way, each under a key: tasks, and watches that wait without one.
///
/// Tasks are not children of a group, because each must be cancelled alone, and none by the cancellation of the host's
/// task: ending well takes time. `end()` waits for all of them.
struct Jobs<Key: Hashable & Sendable> {
    /// Tells an answer of the present job of a key from one of its predecessor.
    struct Token: Hashable, Sendable {
        var key: Key
        var number: Int
    }

    /// One job that can be cancelled, and waited for.
    enum Job {
        case task(Task<Void, Never>)
        case watch(ReadWatch)

        func cancel() {
            switch self {
            case .task(let task): task.cancel()
            case .watch(let watch): watch.cancel()
            }
        }

        /// Cancels it and returns when it has ended.
        func end() async {
            self.cancel()
            if case .task(let task) = self { await task.value }
        }
    }

    private var jobs: [Key: (number: Int, job: Job)] = [:]
    private var next = 0
    /// Counts the tasks that run, the cancelled ones included.
    let running = RunningCount()

    /// Starts a job in place of the one that has its key.
    mutating func start(_ key: Key, _ body: @escaping @Sendable (Token) async -> Void) {
        let token = self.token(for: key)
        let running = self.running
        running.begin()
        self.jobs[key] = (
            token.number,
            .task(
                Task {
                    await body(token)
                    running.end()
                })
        )
    }

    /// Takes a watch in, in place of the job that has its key.
    mutating func watch(_ key: Key, _ make: (Token) -> ReadWatch) {
        let token = self.token(for: key)
        let watch = make(token)
        self.jobs[key] = (token.number, .watch(watch))
        watch.arm()
    }

    private mutating func token(for key: Key) -> Token {
        self.cancel(key)
        self.next += 1
        return Token(key: key, number: self.next)
    }

    func isCurrent(_ token: Token) -> Bool { self.jobs[token.key]?.number == token.number }

    mutating func cancel(_ key: Key) { self.take(key)?.cancel() }

    /// Gives a job away, for its end to be waited for.
    mutating func take(_ key: Key) -> Job? { self.jobs.removeValue(forKey: key)?.job }

    /// Cancels all.
    mutating func cancelAll() {
        for key in Array(self.jobs.keys) { self.cancel(key) }
    }
}

/// How many run, and the moment when nobody does.
final class RunningCount: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    func begin() { self.state.withLock { $0.count += 1 } }

    func end() {
        let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.count -= 1
            guard state.count == 0 else { return nil }
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Returns when nobody runs. One may wait at a time.
    func waitForNone() async {
        await withCheckedContinuation { continuation in
            let isNone = self.state.withLock { state in
                if state.count > 0 { state.waiter = continuation }
                return state.count == 0
            }
            if isNone { continuation.resume() }
        }
    }
}
