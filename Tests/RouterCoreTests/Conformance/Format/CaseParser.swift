/// Reads cases from the text of a case file; the format is described in `Docs/Conformance.md`.
struct CaseParser {
    private var result: ProxyCase
    private var isContinuing = false
    private var sender = Side.client

    private enum Side { case client, instance }

    static func parse(_ text: String, topic: String) throws(CaseFileError) -> [ProxyCase] {
        var cases: [ProxyCase] = []
        for block in CaseBlock.split(text) {
            for expanded in try block.expanded() {
                var parser = CaseParser(
                    result: ProxyCase(
                        name: expanded.name, group: block.name, source: "", topic: topic, outcomes: [Outcome()]))
                for line in expanded.lines {
                    do throws(CaseFileError) { try parser.read(line.text) } catch {
                        throw CaseFileError("\(topic), line \(line.number): \(error)")
                    }
                }
                guard !parser.result.source.isEmpty, !parser.result.client.isEmpty else {
                    throw CaseFileError("\(topic): '\(expanded.name)' lacks its source or its client.")
                }
                cases.append(parser.result)
            }
        }
        return cases
    }

    private mutating func read(_ line: String) throws(CaseFileError) {
        if line == ">" || line.hasPrefix("> ") { return try self.readBytes(line.dropFirst(2), from: .client) }
        if line == "<" || line.hasPrefix("< ") { return try self.readBytes(line.dropFirst(2), from: .instance) }
        self.isContinuing = false
        if line.hasPrefix("  ") { return try self.readClaim(line.drop { $0 == " " }) }
        let (word, rest) = Self.firstWord(line[...])
        switch word {
        case "by": self.result.source = String(rest)
        case "client": try self.readStep(rest, of: .client)
        case "instance": try self.readStep(rest, of: .instance)
        case "or": self.result.outcomes.append(Outcome())
        case "refused":
            self.outcome.requests = []
            self.outcome.ending = .closed
            self.sender = .instance
            guard rest.hasPrefix("midway ") else {
                self.outcome.answers = [AnswerClaim(statuses: try Self.statuses(rest))]
                return
            }
            // A proxy that streams may notice when the instance has seen the start.
            self.outcome.answers = [AnswerClaim(statuses: try Self.statuses(rest.dropFirst(7)))]
            var streamed = self.outcome
            streamed.requests = [RequestClaim(line: "*", claims: [.cut])]
            self.result.outcomes.append(streamed)
        case "fails":
            // An answer that cannot be understood must not be taken for a whole one.
            self.outcome.answers = [AnswerClaim(statuses: [502])]
            let broken = AnswerClaim(statuses: try Self.statuses(rest), claims: [.cut])
            self.result.outcomes.append(
                Outcome(requests: self.outcome.requests, answers: [broken], ending: .closed))
        case "sees":
            let repeats = rest.hasPrefix("repeatedly ")
            if self.outcome.requests == nil { self.outcome.requests = [] }
            if rest == "nothing" { return }
            let line = try CaseText.bytes(String(repeats ? rest.dropFirst(11) : rest))
            self.outcome.requests?.append(RequestClaim(line: CaseText.latin1(line.bytes), repeats: repeats))
            self.sender = .client
        case "gets":
            let isOptional = rest.hasPrefix("maybe ")
            if rest == "nothing" { return }
            self.outcome.answers.append(
                AnswerClaim(
                    statuses: try Self.statuses(isOptional ? rest.dropFirst(6) : rest), isOptional: isOptional))
            self.sender = .instance
        case "kept", "closed": self.outcome.ending = Outcome.Ending(rawValue: String(word))
        default: throw CaseFileError("'\(word)' means nothing.")
        }
    }

    private var outcome: Outcome {
        get { self.result.outcomes[self.result.outcomes.count - 1] }
        set { self.result.outcomes[self.result.outcomes.count - 1] = newValue }
    }

    // MARK: Scripts

    /// Neighbouring lines are sent at once.
    private mutating func readBytes(_ text: Substring, from side: Side) throws(CaseFileError) {
        let (bytes, endsLine) = try CaseText.bytes(String(text))
        let line = endsLine ? bytes + [0x0D, 0x0A] : bytes
        if self.isContinuing, self.sender == side {
            self.change(side) { steps in
                if case .send(let before)? = steps.popLast() { steps.append(.send(before + line)) }
            }
        } else {
            self.change(side) { $0.append(.send(line)) }
        }
        self.isContinuing = true
        self.sender = side
    }

    private mutating func readStep(_ text: Substring, of side: Side) throws(CaseFileError) {
        if side == .instance, text == "then" {
            self.result.instance.append([])
            return
        }
        let (word, rest) = Self.firstWord(text)
        let step: ScriptStep
        switch (word, rest, side) {
        case ("awaits", "an answer", .client): step = .awaitAnswer
        case ("awaits", "the end", _): step = .awaitEnd
        case ("lets", "the client go on", .instance): step = .sendContinue
        case ("takes", "the head", .instance): step = .takeHead
        case ("takes", "the request", .instance): step = .takeRequest
        case ("ends", "", _): step = .end
        case ("closes", "", _): step = .close
        case ("resets", "", _): step = .reset
        case ("signals", _, _): step = .signal(String(rest))
        case ("awaits", _, _):
            let (kind, value) = Self.firstWord(rest)
            switch kind {
            case "signal": step = .wait(String(value))
            case "bytes": step = .awaitBytes(try CaseText.bytes(String(value)).bytes)
            default:
                guard side == .client, let status = Int(kind) else {
                    throw CaseFileError("'\(text)' is no step.")
                }
                step = .awaitInterim(status)
            }
        default: throw CaseFileError("'\(text)' is no step.")
        }
        self.change(side) { $0.append(step) }
    }

    private mutating func change(_ side: Side, _ body: (inout [ScriptStep]) -> Void) {
        switch side {
        case .client: body(&self.result.client)
        case .instance:
            if self.result.instance.isEmpty { self.result.instance.append([]) }
            body(&self.result.instance[self.result.instance.count - 1])
        }
    }

    // MARK: Claims

    private mutating func readClaim(_ text: Substring) throws(CaseFileError) {
        let claim = try Self.claim(text)
        if self.sender == .client, let last = self.outcome.requests?.indices.last {
            self.outcome.requests?[last].claims.append(claim)
        } else if self.sender == .instance, let last = self.outcome.answers.indices.last {
            self.outcome.answers[last].claims.append(claim)
        } else {
            throw CaseFileError("'\(text)' claims something about nothing.")
        }
    }

    private static func claim(_ text: Substring) throws(CaseFileError) -> MessageClaim {
        let (word, rest) = self.firstWord(text)
        let value = CaseText.latin1(try CaseText.bytes(String(rest)).bytes)
        switch word {
        case "no": return rest.hasPrefix("trailer ") ? .noTrailer(String(rest.dropFirst(8))) : .noField(String(rest))
        case "cut": return .cut
        case "lacks": return .lacks(value)
        case "holds": return .holds(value)
        case "body":
            if rest.hasPrefix("of "), let length = Int(rest.dropFirst(3)) { return .bodyLength(length) }
            return .body(rest == "empty" ? "" : value)
        case "trailer":
            let (name, value) = self.firstWord(rest)
            return .trailer(String(name.dropLast()), String(value))
        default:
            guard word.hasSuffix(":") else { throw CaseFileError("'\(text)' is no claim.") }
            return .field(String(word.dropLast()), value)
        }
    }

    private static func statuses(_ text: Substring) throws(CaseFileError) -> [Int] {
        let statuses = text.split(separator: "|").compactMap { Int($0) }
        guard !statuses.isEmpty else { throw CaseFileError("'\(text)' is no status.") }
        return statuses
    }

    private static func firstWord(_ text: Substring) -> (Substring, Substring) {
        guard let space = text.firstIndex(of: " ") else { return (text, "") }
        return (text[..<space], text[text.index(after: space)...])
    }
}
