import Dispatch
import Synchronization

/// Processes, as one look at `/proc` has found them.
final class ProcessSnapshot: Sendable {
    let processes: [ProcessEntry]
    private let marks: Mutex<[Int32: [String]]> = Mutex([:])
    private let readMarks: @Sendable (Int32) -> [String]

    init(processes: [ProcessEntry], readMarks: @escaping @Sendable (Int32) -> [String]) {
        self.processes = processes
        self.readMarks = readMarks
    }

    /// Every process there is.
    convenience init() { self.init(processes: Procfs.processes(), readMarks: { ProcessTree.marks(of: $0) }) }

    /// Those of them that have these numbers.
    convenience init(ofNumbers numbers: ClosedRange<Int32>) {
        self.init(
            processes: numbers.compactMap { Procfs.process($0) }, readMarks: { ProcessTree.marks(of: $0) })
    }

    /// The marks that a process carries, read once whoever asks.
    func marks(of pid: Int32) -> [String] {
        if let marks = self.marks.withLock({ $0[pid] }) { return marks }
        let marks = self.readMarks(pid)
        self.marks.withLock { $0[pid] = marks }
        return marks
    }
}

/// Looks at `/proc` for all who want to know at the same time.
///
/// A look reads a line of every process, and so does each of a thousand instances that are stopped together: that is a
/// million lines. Who asks while a look goes on waits for the next one, and all who wait share that.
final class ProcessScanner: Sendable {
    private struct State {
        var isLooking = false
        var waiting: [CheckedContinuation<ProcessSnapshot, Never>] = []
    }

    private let state = Mutex(State())
    private let look: @Sendable () -> ProcessSnapshot
    /// A look blocks for milliseconds; it does so here and not on the shared threads of Swift tasks.
    private let queue = DispatchQueue(label: "slipway.process-supervisor.scanner")

    /// - Parameter look: Looks; a parameter for tests.
    init(look: @escaping @Sendable () -> ProcessSnapshot = { ProcessSnapshot() }) { self.look = look }

    /// How many wait for the next look.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// What a look has found that was begun after the call.
    func snapshot() async -> ProcessSnapshot {
        await withCheckedContinuation { continuation in
            let mayBegin = self.state.withLock { state in
                state.waiting.append(continuation)
                defer { state.isLooking = true }
                return !state.isLooking
            }
            if mayBegin { self.queue.async { self.answer() } }
        }
    }

    private func answer() {
        while true {
            let waiting = self.state.withLock { state in
                defer { state.waiting = [] }
                state.isLooking = !state.waiting.isEmpty
                return state.waiting
            }
            if waiting.isEmpty { return }
            let snapshot = self.look()
            for continuation in waiting { continuation.resume(returning: snapshot) }
        }
    }
}
