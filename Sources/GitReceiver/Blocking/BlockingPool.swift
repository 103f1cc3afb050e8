import Dispatch
import Synchronization

/// A few threads for calls that block or compute for long: libgit2, zlib, files.
///
/// The cooperative pool has one thread for each core and must never wait. Each lane is a serial dispatch queue, which
/// gets a thread of its own when it has work, so `width` calls run at once and no more; the others wait in order.
/// Nothing here waits for a network client: each piece of a pack is a call of its own, so a slow client never holds a lane.
final class BlockingPool: Sendable {
    private typealias Job = @Sendable () -> Void

    private struct State {
        var idle: [Int]
        var waiting: [Job] = []
        var head = 0
    }

    private let lanes: [DispatchQueue]
    private let state: Mutex<State>
    private let limit: Int

    init(width: Int, queueLimit: Int) {
        let width = max(1, width)
        self.lanes = (0..<width).map { DispatchQueue(label: "git-receiver.\($0)") }
        self.state = Mutex(State(idle: Array(0..<width)))
        self.limit = queueLimit
    }

    /// Runs `work` on a lane. Cancelling the task sets the flag, which long work asks from time to time; the call
    /// returns only when the work has, so nothing outlives its task.
    func run<R: Sendable>(
        _ work: @escaping @Sendable (CancellationFlag) throws(GitReceiverError) -> R
    ) async throws(GitReceiverError) -> R {
        let flag = CancellationFlag()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<R, GitReceiverError>, Never>) in
                let accepted = self.submit {
                    do throws(GitReceiverError) {
                        continuation.resume(returning: .success(try work(flag)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
                if !accepted {
                    continuation.resume(
                        returning: .failure(
                            GitReceiverError(.busy, "The git server has too much to do; try again later.")))
                }
            }
        } onCancel: {
            flag.set()
        }
        return try result.get()
    }

    private func submit(_ job: @escaping Job) -> Bool {
        enum Decision { case start(Int), queued, refused }
        let decision: Decision = self.state.withLock { state in
            if let lane = state.idle.popLast() { return .start(lane) }
            guard state.waiting.count - state.head < self.limit else { return .refused }
            state.waiting.append(job)
            return .queued
        }
        switch decision {
        case .start(let lane): self.lanes[lane].async { self.work(job, on: lane) }
        case .queued: break
        case .refused: return false
        }
        return true
    }

    private func work(_ first: @escaping Job, on lane: Int) {
        var job: Job? = first
        while let current = job {
            current()
            job = self.state.withLock { state in
                guard state.head < state.waiting.count else {
                    state.waiting = []
                    state.head = 0
                    state.idle.append(lane)
                    return nil
                }
                defer {
                    state.head += 1
                    if state.head > 256, state.head * 2 > state.waiting.count {
                        state.waiting.removeFirst(state.head)
                        state.head = 0
                    }
                }
                return state.waiting[state.head]
            }
        }
    }
}

/// Says to a blocking call that its task was cancelled.
final class CancellationFlag: Sendable {
    private let value = Atomic(false)

    init() {}

    var isSet: Bool { self.value.load(ordering: .relaxed) }
    func set() { self.value.store(true, ordering: .relaxed) }

    func check() throws(GitReceiverError) {
        if self.isSet { throw GitReceiverError(.cancelled, "The operation was cancelled.") }
    }
}
