import NIOCore

/// What both sides of a running case share.
final class CaseSession: Sendable {
    struct State: Sendable {
        /// The requests that have reached the instance, and whether anything more of each can come.
        var requests: [(message: SeenMessage, isSettled: Bool)] = []
        var signals: Set<String> = []
        /// What was waited for in vain, as sentences.
        var stalls: [String] = []
        /// The instance's connections that are in the middle of a script.
        var busy: [ObjectIdentifier: WireConnection] = [:]
        var isOver = false
    }

    let state = Watched(State())
    /// How long anything that should happen may take.
    let limit: TimeAmount
    private let scripts: [[ScriptStep]]

    init(scripts: [[ScriptStep]], limit: TimeAmount) {
        self.scripts = scripts
        self.limit = limit
    }

    /// What the instance does with a request; nil to answer it 200.
    func script(forRequest index: Int) -> [ScriptStep]? {
        index < self.scripts.count ? self.scripts[index] : self.scripts.last
    }

    func signal(_ name: String) { self.state.update { _ = $0.signals.insert(name) } }

    /// Returns whether the signal came.
    func wait(forSignal name: String) async -> Bool {
        let came = await self.state.wait(atMost: self.limit) { $0.isOver || $0.signals.contains(name) }
        if !came { self.stall("the signal '\(name)' does not come") }
        return came
    }

    func stall(_ what: String) { self.state.update { $0.stalls.append(what) } }

    /// Ends what is still going on.
    func finish() async {
        _ = await self.state.wait(atMost: self.limit) { $0.requests.allSatisfy(\.isSettled) }
        let busy = self.state.update { state in
            state.isOver = true
            return Array(state.busy.values)
        }
        for connection in busy { await connection.close() }
    }
}
