public import BuildpackKit
import Synchronization

/// A build log that keeps its lines, and lets a test wait for one.
public final class RecordingBuildLog: BuildLog {
    private struct Waiter {
        var text: String
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var lines: [String] = []
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    /// Creates an empty log.
    public init() {}

    /// The lines so far.
    public var lines: [String] { self.state.withLock { $0.lines } }

    /// The lines so far, as one text.
    public var text: String { self.lines.joined(separator: "\n") }

    /// Takes one line.
    public func write(_ line: String) async {
        let due = self.state.withLock { state in
            state.lines.append(line)
            let due = state.waiters.filter { line.contains($0.text) }
            state.waiters.removeAll { line.contains($0.text) }
            return due
        }
        for waiter in due { waiter.continuation.resume() }
    }

    /// Returns when there is a line that contains `text`, at once if there is one already.
    public func line(containing text: String) async {
        await withCheckedContinuation { continuation in
            let present = self.state.withLock { state in
                if state.lines.contains(where: { $0.contains(text) }) { return true }
                state.waiters.append(Waiter(text: text, continuation: continuation))
                return false
            }
            if present { continuation.resume() }
        }
    }
}
