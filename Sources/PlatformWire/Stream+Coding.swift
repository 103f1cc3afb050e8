#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// On the wire an event is an object with one member, named as the case is: `{"line":"-----> Building"}`,
/// `{"result":{…}}`. (What the compiler would make up, `{"line":{"_0":"…"}}`, is nothing to document to other clients.)
extension StreamEvent {
    private enum CodingKeys: String, CodingKey {
        case line, output, result, problem
    }

    /// Reads an event. Throws `DecodingError` when there is none of the members.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        // `result` is asked for by its presence: for an optional result, null is a result as well.
        if container.contains(.result) {
            self = .result(try container.decode(Result.self, forKey: .result))
        } else if let line = try container.decodeIfPresent(String.self, forKey: .line) {
            self = .line(line)
        } else if let output = try container.decodeIfPresent(Data.self, forKey: .output) {
            self = .output(output)
        } else if let problem = try container.decodeIfPresent(Problem.self, forKey: .problem) {
            self = .problem(problem)
        } else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription: "An event has one of the members `line`, `output`, `result` and `problem`."))
        }
    }

    /// Writes the event.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .line(let text): try container.encode(text, forKey: .line)
        case .output(let bytes): try container.encode(bytes, forKey: .output)
        case .result(let result): try container.encode(result, forKey: .result)
        case .problem(let problem): try container.encode(problem, forKey: .problem)
        }
    }
}
