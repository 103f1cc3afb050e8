/// A promise that was not kept: what was expected and what was found.
public struct Violation: Error, Sendable, CustomStringConvertible {
    /// What was expected and what was found.
    public var description: String

    /// Makes a violation.
    public init(_ description: String) { self.description = description }
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Violation) {
    if !condition { throw Violation(message()) }
}

func requireEqual<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String) throws(Violation) {
    if found != expected { throw Violation("\(what): expected \(expected), found \(found)") }
}
