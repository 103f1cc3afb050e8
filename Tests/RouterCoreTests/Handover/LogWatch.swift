import Logging
import Synchronization

/// Waits for what somebody logs.
struct LogWatch: LogHandler {
    private struct State {
        var messages: [String: Int] = [:]
        var waiters: [(message: String, times: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared = Shared()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let message = event.message.description
        let due = self.shared.state.withLock { state in
            state.messages[message, default: 0] += 1
            let count = state.messages[message] ?? 0
            let due = state.waiters.filter { $0.message == message && $0.times <= count }
            state.waiters.removeAll { $0.message == message && $0.times <= count }
            return due
        }
        for waiter in due { waiter.continuation.resume() }
    }

    /// Returns once the message has been logged so many times.
    func message(_ message: String, times: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = self.shared.state.withLock { state in
                if state.messages[message, default: 0] >= times { return true }
                state.waiters.append((message, times, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
