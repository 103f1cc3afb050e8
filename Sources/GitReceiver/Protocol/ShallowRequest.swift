/// What a client says about a history that it has only the newest part of, or wants only that.
struct ShallowRequest: Hashable, Sendable {
    /// Where the client's history ends now.
    var present: Set<ObjectID> = []
    /// How many commits deep the history should be; ``unlimited`` for all of it.
    var depth: Int?
    /// Whether ``depth`` counts from where the history ends now.
    var isRelative = false
    /// The history should have what was committed from this second since 1970 on.
    var since: Int?
    /// The history should not have what these references reach.
    var excluded: [String] = []

    /// What git sends for `--unshallow`.
    static let unlimited = 0x7FFF_FFFF

    /// Whether the client wants its history to end somewhere else.
    var isDeepening: Bool { self.depth != nil || self.since != nil || !self.excluded.isEmpty }
    var isEmpty: Bool { self.present.isEmpty && !self.isDeepening }

    /// Takes one line of a request; false if it is about something else.
    mutating func consume(_ line: String) throws(GitReceiverError) -> Bool {
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        let value = parts.count == 2 ? parts[1] : ""
        switch parts.first {
        case "shallow":
            guard let oid = ObjectID(value) else { throw Self.malformed(line) }
            self.present.insert(oid)
        case "deepen":
            guard let depth = Int(value), (0...Self.unlimited).contains(depth) else { throw Self.malformed(line) }
            self.depth = depth > 0 ? depth : nil
        case "deepen-relative" where parts.count == 1: self.isRelative = true
        case "deepen-since":
            guard let time = Int(value) else { throw Self.malformed(line) }
            self.since = time
        case "deepen-not":
            guard !value.isEmpty, self.excluded.count < 1000 else { throw Self.malformed(line) }
            self.excluded.append(value)
        default: return false
        }
        return true
    }

    /// Says what git's own server would say of a contradiction.
    func validate() throws(GitReceiverError) {
        guard self.depth == nil || self.since == nil && self.excluded.isEmpty else {
            throw GitReceiverError(
                .malformed,
                "The fetch is malformed: a depth cannot be combined with --shallow-since or --shallow-exclude.")
        }
    }

    private static func malformed(_ line: String) -> GitReceiverError {
        GitReceiverError(.malformed, "The fetch is malformed: \(ReceiveReport.line(String(line.prefix(80)))).")
    }
}

/// Where a shallow history ends, and what of that is new to the client.
struct ShallowBoundary: Hashable, Sendable {
    /// Commits whose parents the client does not get.
    var added: [ObjectID] = []
    /// Commits whose parents the client gets now.
    var removed: [ObjectID] = []
    /// Where the history ends afterwards.
    var present: Set<ObjectID> = []

    /// `shallow` and `unshallow` lines.
    var encoded: [UInt8] {
        self.added.flatMap { PktLine.encode("shallow \($0)\n") }
            + self.removed.flatMap { PktLine.encode("unshallow \($0)\n") }
    }
}
