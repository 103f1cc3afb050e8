public import PlatformWire

/// What a one-off is connected to: whoever started it.
public struct OneOffSession: Sendable {
    /// Gets standard output and standard error, in order. A call that takes its time slows the command down; one that
    /// throws says that nobody is there any more.
    public var output: @Sendable ([UInt8]) async throws -> Void
    /// Asked for the next piece of standard input when the command has taken the last one; answers `nil` at its end.
    /// Without it the input is empty.
    public var input: (@Sendable () async -> [UInt8]?)?
    /// The size of the terminal that it runs at; without one it runs at none.
    public var window: TerminalWindow?
    /// Waits for the next size of the terminal; answers `nil` when there will be none.
    public var windows: (@Sendable () async -> TerminalWindow?)?

    /// Makes one that has output alone.
    public init(output: @escaping @Sendable ([UInt8]) async throws -> Void) { self.output = output }
}
