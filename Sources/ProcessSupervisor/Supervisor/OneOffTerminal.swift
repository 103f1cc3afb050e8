/// How many characters a terminal shows.
public struct TerminalSize: Codable, Sendable, Hashable {
    /// Characters in a line, from 1.
    public var columns: UInt16
    /// Lines, from 1.
    public var rows: UInt16

    /// Describes a size; 0 becomes 1.
    public init(columns: UInt16, rows: UInt16) {
        self.columns = max(columns, 1)
        self.rows = max(rows, 1)
    }
}

/// The terminal that a one-off is run at: its input and output, which controls its session. What is typed there, such
/// as Ctrl-C, means to the program what it means at any terminal.
public struct OneOffTerminal: Sendable {
    /// The size at the start.
    public var size: TerminalSize
    /// Later sizes, as they change; nil: it does not.
    public var resizes: AsyncStream<TerminalSize>?

    /// Describes a terminal.
    public init(size: TerminalSize, resizes: AsyncStream<TerminalSize>? = nil) {
        self.size = size
        self.resizes = resizes
    }
}
