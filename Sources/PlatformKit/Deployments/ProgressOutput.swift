/// Receives the progress of a long operation, a line at a time.
///
/// A conformer throws when whoever waits has gone away; the operation is then cancelled.
public protocol ProgressOutput: Sendable {
    /// Shows one line.
    func line(_ text: String) async throws
}

/// Shows nothing to anybody.
public struct SilentOutput: ProgressOutput {
    /// Makes one.
    public init() {}

    /// Drops the line.
    public func line(_ text: String) async throws {}
}
