extension Outcome {
    /// What of this outcome is not so.
    func problems(in observation: Observation) -> [String] {
        var problems = self.requestProblems(observation.requests) + self.answerProblems(observation.answers)
        if let ending = self.ending, ending.rawValue != observation.ending.rawValue {
            problems.append("the connection is \(observation.ending.rawValue) instead of \(ending.rawValue)")
        }
        return problems
    }

    private func requestProblems(_ seen: [SeenMessage]) -> [String] {
        guard let claims = self.requests else { return [] }
        var problems: [String] = []
        var rest = seen[...]
        for claim in claims {
            guard let request = rest.popFirst() else {
                problems.append("the instance does not see '\(claim.line)'")
                continue
            }
            problems += claim.problems(request)
            while claim.repeats, rest.first?.head.firstLine == claim.line { rest.removeFirst() }
        }
        return problems + rest.map { "the instance sees '\($0.head.firstLine)'" }
    }

    private func answerProblems(_ seen: [SeenMessage]) -> [String] {
        var problems: [String] = []
        var rest = seen[...]
        for claim in self.answers {
            let expected = claim.statuses.map(String.init).joined(separator: " or ")
            if let answer = rest.first, claim.statuses.contains(answer.status) {
                problems += claim.claims.flatMap { $0.problems(answer, "the answer \(answer.status)") }
                rest.removeFirst()
            } else if !claim.isOptional {
                if let answer = rest.popFirst() {
                    problems.append("the client gets \(answer.status) instead of \(expected)")
                } else {
                    problems.append("the client does not get \(expected)")
                }
            }
        }
        return problems + rest.map { "the client gets \($0.status) as well" }
    }
}

extension RequestClaim {
    fileprivate func problems(_ request: SeenMessage) -> [String] {
        let line = request.head.firstLine
        let fits =
            self.line == "*" || line == self.line || ["\(self.line) HTTP/1.0", "\(self.line) HTTP/1.1"].contains(line)
        guard fits else {
            return ["the instance sees '\(request.head.firstLine)' instead of '\(self.line)'"]
        }
        return self.claims.flatMap { $0.problems(request, "the request") }
    }
}

extension MessageClaim {
    fileprivate func problems(_ message: SeenMessage, _ subject: String) -> [String] {
        switch self {
        case .field(let name, let value):
            let found = message.head.values(name)
            let text = found.joined(separator: ", ")
            let fits = value.hasSuffix("*") ? text.hasPrefix(value.dropLast()) : text == value
            if fits, !found.isEmpty { return [] }
            return ["\(subject) has \(name): \(found.isEmpty ? "nothing" : found.joined(separator: ", "))"]
        case .noField(let name):
            let found = message.head.values(name)
            return found.isEmpty ? [] : ["\(subject) has \(name): \(found.joined(separator: ", "))"]
        case .trailer(let name, let value):
            let found = message.body.trailers.values(name)
            return found == [value] ? [] : ["\(subject) has in its trailers \(name): \(found)"]
        case .noTrailer(let name):
            return message.body.trailers.values(name).isEmpty ? [] : ["\(subject) has the trailer \(name)"]
        case .body(let text):
            let found = CaseText.latin1(message.body.bytes)
            return found == text ? [] : ["\(subject) has the body '\(found.prefix(80))'"]
        case .bodyLength(let length):
            let found = message.body.bytes.count
            return found == length ? [] : ["\(subject) has a body of \(found) bytes"]
        case .cut:
            return message.body.isComplete ? ["\(subject) is whole"] : []
        case .lacks(let text):
            return message.holds(text) ? ["\(subject) holds '\(text)'"] : []
        case .holds(let text):
            return message.holds(text) ? [] : ["\(subject) lacks '\(text)'"]
        }
    }
}

extension SeenMessage {
    /// Whether it holds a text, in any case, because proxies may change the case of names.
    fileprivate func holds(_ text: String) -> Bool {
        CaseText.latin1(self.wire).lowercased().contains(text.lowercased())
    }
}
