internal import Synchronization

/// The histories of all applications.
final class SignalHistories: Sendable {
    private struct State {
        var histories: [String: SignalHistory] = [:]
    }

    private let scale: SignalScale
    private let maxApplications: Int
    private let clock: SignalClock
    private let state = Mutex(State())

    init(scale: SignalScale, maxApplications: Int, clock: SignalClock) {
        self.scale = scale
        self.maxApplications = maxApplications
        self.clock = clock
    }

    /// Begins a history for `application` unless there is one; `false` when there are too many.
    func admit(_ application: String) -> Bool {
        self.state.withLock { self.admit(application, &$0.histories) }
    }

    func merge(_ bucket: SignalBucket, number: Int64, application: String) {
        self.state.withLock { $0.histories[application]?.merge(bucket, number: number) }
    }

    func update(_ application: String, _ body: (inout SignalHistory) -> Void) {
        self.state.withLock { state in
            guard self.admit(application, &state.histories), let position = state.histories.index(forKey: application)
            else { return }
            body(&state.histories.values[position])
        }
    }

    subscript(application: String) -> SignalHistory? {
        self.state.withLock { $0.histories[application] }
    }

    func remove(_ application: String) {
        self.state.withLock { $0.histories[application] = nil }
    }

    var applications: [String] {
        self.state.withLock { $0.histories.keys.sorted() }
    }

    private func admit(_ application: String, _ histories: inout [String: SignalHistory]) -> Bool {
        if histories[application] != nil { return true }
        guard histories.count < self.maxApplications else { return false }
        histories[application] = SignalHistory(scale: self.scale, firstSeen: self.clock.nanoseconds)
        return true
    }
}
