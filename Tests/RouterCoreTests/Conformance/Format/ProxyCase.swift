import Testing

/// What a client and an instance do on the two sides of a proxy, and what must come of it.
struct ProxyCase: Sendable {
    /// A sentence whose subject is the proxy.
    var name: String
    /// The part of the name that it shares with the other lines of its table.
    var group: String
    /// The section of a specification, or the CVE, that it comes from.
    var source: String
    /// The file it is written in.
    var topic: String
    /// What the client does, in order.
    var client: [ScriptStep] = []
    /// What the instance does with the first request, the second one, and so on; the last script serves all further
    /// ones. Without any, requests are answered 200.
    var instance: [[ScriptStep]] = []
    /// What may come of it: one of these, wholly.
    var outcomes: [Outcome] = []
}

extension ProxyCase: CustomTestStringConvertible {
    var testDescription: String { "\(self.topic): \(self.name)" }
}

/// One thing that the client or the instance does.
enum ScriptStep: Equatable, Sendable {
    case send([UInt8])
    /// The client waits for a final answer.
    case awaitAnswer
    /// The client waits for an interim answer with this status; a final one ends its script.
    case awaitInterim(Int)
    /// The instance waits for a request's head alone.
    case takeHead
    /// The instance waits for the end of a request.
    case takeRequest
    /// Waits until these bytes have come, behind those of the last such step.
    case awaitBytes([UInt8])
    /// Waits until the other side sends no more.
    case awaitEnd
    /// Ends its own direction of the connection.
    case end
    case close
    /// Closes with a TCP reset.
    case reset
    /// The instance lets a client go on that waits for that: sends 100 if the request it has got asks for it.
    case sendContinue
    /// Lets the other side go on, where it waits for this name.
    case signal(String)
    case wait(String)
}

/// One thing that may come of a case.
struct Outcome: Equatable, Sendable {
    enum Ending: String, Sendable {
        /// The proxy closes the client's connection.
        case closed
        /// The client's connection serves a further request.
        case kept
    }

    /// What the instance sees, exactly; nil where that does not matter.
    var requests: [RequestClaim]?
    /// What the client gets, exactly.
    var answers: [AnswerClaim] = []
    var ending: Ending?
}

/// What is claimed about a request that reaches the instance.
struct RequestClaim: Equatable, Sendable {
    /// The request line, or its method and target where the version does not matter; `*` for any.
    var line: String
    /// Whether it may come more than once, because the proxy may try again.
    var repeats = false
    var claims: [MessageClaim] = []
}

/// What is claimed about an answer that reaches the client.
struct AnswerClaim: Equatable, Sendable {
    /// Any of these.
    var statuses: [Int]
    /// Whether it may be missing.
    var isOptional = false
    var claims: [MessageClaim] = []

    /// How many it stands for at least, among the final ones.
    var isFinal: Bool { self.statuses.allSatisfy { $0 >= 200 } || self.statuses == [101] }
}

/// What is claimed about a message.
enum MessageClaim: Equatable, Sendable {
    /// The field's lines, joined by commas, say this; with `*` at the end, they start so.
    case field(String, String)
    case noField(String)
    case trailer(String, String)
    case noTrailer(String)
    case body(String)
    case bodyLength(Int)
    /// It is broken off before its end.
    case cut
    /// It does not hold this, in any case.
    case lacks(String)
    case holds(String)
}
