import Dispatch
import Synchronization

/// Brings bytes from one task, which suspends, to one thread, which blocks.
final class ByteChannel: Sendable {
    private struct State {
        var queue: [[UInt8]] = []
        var queuedBytes = 0
        var end: Result<Void, SlugStoreError>?
        var isClosed = false
        var sender: CheckedContinuation<Bool, Never>?
        var receiverWaits = false
    }

    private let capacity: Int
    private let state = Mutex(State())
    /// Signalled once for each time that `receiverWaits` was set.
    private let wake = DispatchSemaphore(value: 0)

    init(capacity: Int) { self.capacity = capacity }

    /// Hands bytes over, and suspends while more than the capacity is waiting to be received.
    /// - Returns: Whether anybody still wants more.
    func send(_ bytes: [UInt8]) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = self.state.withLock { state in
                if state.isClosed || state.end != nil { return false }
                state.queue.append(bytes)
                state.queuedBytes += bytes.count
                self.wakeReceiver(&state)
                if state.queuedBytes <= self.capacity { return true }
                state.sender = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// No more bytes come. The first call counts.
    func finish(_ error: SlugStoreError?) {
        self.state.withLock { state in
            if state.end == nil { state.end = error.map { .failure($0) } ?? .success(()) }
            self.wakeReceiver(&state)
        }
    }

    /// Nobody receives any more.
    func close() {
        let sender = self.state.withLock { state in
            state.isClosed = true
            state.queue = []
            return state.sender.take()
        }
        sender?.resume(returning: false)
    }

    /// The next bytes; `nil` at the end. Blocks.
    func receive() throws(SlugStoreError) -> [UInt8]? {
        while true {
            enum Step {
                case bytes([UInt8], CheckedContinuation<Bool, Never>?), end(Result<Void, SlugStoreError>), wait
            }
            let step: Step = self.state.withLock { state in
                if case .failure = state.end, let end = state.end { return .end(end) }
                if !state.queue.isEmpty {
                    let bytes = state.queue.removeFirst()
                    state.queuedBytes -= bytes.count
                    return .bytes(bytes, state.queuedBytes <= self.capacity ? state.sender.take() : nil)
                }
                if let end = state.end { return .end(end) }
                state.receiverWaits = true
                return .wait
            }
            switch step {
            case .bytes(let bytes, let sender):
                sender?.resume(returning: true)
                return bytes
            case .end(let end):
                try end.get()
                return nil
            case .wait:
                self.wake.wait()
            }
        }
    }

    private func wakeReceiver(_ state: inout State) {
        guard state.receiverWaits else { return }
        state.receiverWaits = false
        self.wake.signal()
    }
}
