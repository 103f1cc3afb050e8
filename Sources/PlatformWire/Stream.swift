#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One line of an answer that takes a while (`application/x-ndjson`): progress first, then exactly one result or problem.
public enum StreamEvent<Result: Codable & Sendable>: Codable, Sendable {
    /// A line of progress for people.
    case line(String)
    /// Raw output of a one-off.
    case output(Data)
    /// The end, if it went well.
    case result(Result)
    /// The end, if it did not.
    case problem(Problem)
}

/// Why a request was refused or failed, as RFC 9457 says (`application/problem+json`).
public struct Problem: Codable, Sendable, Hashable, Error, CustomStringConvertible {
    /// A word for programs: `not-found`, `invalid`, `conflict`.
    public var type: String
    /// The kind of problem in a few words.
    public var title: String
    /// The HTTP status.
    public var status: Int
    /// What happened, where, and what to do.
    public var detail: String

    /// Makes one from its parts.
    public init(type: String, title: String, status: Int, detail: String) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
    }

    /// The detail.
    public var description: String { self.detail }
}
