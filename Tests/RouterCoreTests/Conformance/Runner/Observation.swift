/// What came of a case.
struct Observation: Sendable {
    var requests: [SeenMessage] = []
    var answers: [SeenMessage] = []
    var ending = ScriptedClient.Ending.left
    /// What must never be, whatever the case is about.
    var problems: [String] = []

    /// For a person who looks for the cause of a failure.
    var transcript: String {
        var text = ""
        for request in self.requests { text += "── the instance sees\n\(CaseText.readable(request.wire))\n" }
        for answer in self.answers { text += "── the client gets\n\(CaseText.readable(answer.wire))\n" }
        return text + "── the connection is \(self.ending.rawValue)"
    }

    /// In one line.
    var summary: String {
        let answers = self.answers.map { "\($0.status)" + ($0.body.isComplete ? "" : " (cut)") }
        let requests = self.requests.map(\.head.firstLine)
        return "forwards \(requests.isEmpty ? "nothing" : requests.joined(separator: ", ")); "
            + "answers \(answers.isEmpty ? "nothing" : answers.joined(separator: ", ")); \(self.ending.rawValue)"
    }
}

extension ProxyCase {
    /// What differs from the outcome that fits best; empty when one fits wholly.
    func problems(in observation: Observation) -> [String] {
        let best = self.outcomes.map { $0.problems(in: observation) }.min { $0.count < $1.count }
        return observation.problems + (best ?? [])
    }
}
