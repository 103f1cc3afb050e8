public import PlatformKit
import Synchronization

/// Progress that keeps its lines. It can go away, as a client does that hangs up.
public final class RecordingOutput: ProgressOutput {
    /// What ``line(_:)`` throws once nobody listens any more.
    public struct Gone: Error {}

    private struct State {
        var lines: [String] = []
        var goesAwayAt: String?
        var isGone = false
    }

    private let state: Mutex<State>

    /// Makes one without a line.
    ///
    /// - Parameter text: with the first line that contains it, and from then on, whoever listens has gone away.
    public init(goingAwayAt text: String? = nil) {
        self.state = Mutex(State(goesAwayAt: text))
    }

    /// The lines so far.
    public var lines: [String] { self.state.withLock { $0.lines } }

    /// The lines so far, as one text.
    public var text: String { self.lines.joined(separator: "\n") }

    /// Keeps the line; throws ``Gone`` once nobody listens.
    public func line(_ text: String) async throws {
        let isGone = self.state.withLock { state in
            if let end = state.goesAwayAt, text.contains(end) { state.isGone = true }
            if !state.isGone { state.lines.append(text) }
            return state.isGone
        }
        if isGone { throw Gone() }
    }
}
