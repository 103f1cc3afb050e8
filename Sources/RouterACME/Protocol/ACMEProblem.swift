/// What an authority says about a failure (RFC 7807, RFC 8555 section 6.7).
public struct ACMEProblem: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The kind: `urn:ietf:params:acme:error:` and a word.
    public var type: String
    /// What happened, for people.
    public var detail: String
    /// The single failures that make it up, such as one per host.
    public var subproblems: [ACMEProblem]

    init(type: String, detail: String, subproblems: [ACMEProblem] = []) {
        self.type = type
        self.detail = detail
        self.subproblems = subproblems
    }

    /// Reads a problem document, of which every part may be missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.type = try container.decodeIfPresent(String.self, forKey: .type) ?? "about:blank"
        self.detail = try container.decodeIfPresent(String.self, forKey: .detail) ?? ""
        self.subproblems = try container.decodeIfPresent([ACMEProblem].self, forKey: .subproblems) ?? []
    }

    private enum CodingKeys: String, CodingKey { case type, detail, subproblems }

    private static let prefix = "urn:ietf:params:acme:error:"

    /// The word after the protocol's prefix, such as `rateLimited`; the whole type when it has another one.
    public var name: String {
        self.type.hasPrefix(Self.prefix) ? String(self.type.dropFirst(Self.prefix.count)) : self.type
    }

    /// The word and the detail, on one line.
    public var description: String {
        let details = ([self.detail] + self.subproblems.map(\.description)).filter { !$0.isEmpty }
        let line = details.joined(separator: "; ").prefix(1_000)
        // It comes from elsewhere and goes to logs and terminals: no line ends, no control characters.
        let text = "\(line) [\(self.name.prefix(100))]".unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? " " : Character(scalar)
        }
        return String(text)
    }
}
