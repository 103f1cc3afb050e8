/// The tasks that one instance has under way, each under a key.
///
/// They are tasks of their own and not children of a group, because each must be cancelled alone, and none by the
/// cancellation of the host's task: ending well takes time. `end()` waits for all of them.
struct Jobs<Key: Hashable & Sendable> {
    /// Tells an answer of the present job of a key from one of its predecessor.
    struct Token: Hashable, Sendable {
        var key: Key
        var number: Int
    }

    private var tasks: [Key: (number: Int, task: Task<Void, Never>)] = [:]
    private var retired: [Task<Void, Never>] = []
    private var next = 0

    /// Starts a job in place of the one that has its key.
    mutating func start(_ key: Key, _ body: @escaping @Sendable (Token) async -> Void) {
        self.cancel(key)
        self.next += 1
        let token = Token(key: key, number: self.next)
        self.tasks[key] = (self.next, Task { await body(token) })
    }

    func isCurrent(_ token: Token) -> Bool { self.tasks[token.key]?.number == token.number }

    mutating func cancel(_ key: Key) {
        guard let job = self.tasks.removeValue(forKey: key) else { return }
        job.task.cancel()
        self.retired.append(job.task)
        if self.retired.count > 32 { self.retired.removeFirst(16) }
    }

    /// Cancels a job and waits until it has ended.
    mutating func finish(_ key: Key) async {
        guard let job = self.tasks.removeValue(forKey: key) else { return }
        job.task.cancel()
        await job.task.value
    }

    /// Cancels all and waits until all have ended.
    mutating func end() async {
        for key in Array(self.tasks.keys) { self.cancel(key) }
        for task in self.retired { await task.value }
        self.retired = []
    }
}
