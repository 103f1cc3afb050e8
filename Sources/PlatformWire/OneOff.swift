#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// The request for a one-off: the body of `POST …/run`, or the first message of a WebSocket at `GET …/run`.
public struct OneOffRequest: Codable, Sendable, Hashable {
    /// The command and its arguments.
    public var command: [String]
    /// Config variables for this run alone.
    public var environment: [String: String]
    /// Whether the answer comes at once, and the output goes to the application's log alone.
    public var detach: Bool
    /// Whether it goes on when its client goes away; its output then goes to the application's log. Else it is ended.
    public var keep: Bool
    /// How long it may take, in seconds, at most as long as the platform allows; `nil`: that long.
    public var timeoutSeconds: Int?
    /// The size that limits it; `nil`: the platform's default.
    public var size: String?
    /// The terminal that it runs at; `nil`: none. Only over a WebSocket.
    public var terminal: TerminalWindow?

    /// Makes one from its parts.
    public init(
        command: [String], environment: [String: String] = [:], detach: Bool = false, keep: Bool = false,
        timeoutSeconds: Int? = nil, size: String? = nil, terminal: TerminalWindow? = nil
    ) {
        self.command = command
        self.environment = environment
        self.detach = detach
        self.keep = keep
        self.timeoutSeconds = timeoutSeconds
        self.size = size
        self.terminal = terminal
    }
}

/// How many characters a terminal shows.
public struct TerminalWindow: Codable, Sendable, Hashable {
    /// Characters in a line, 1 to 65,535.
    public var columns: Int
    /// Lines, 1 to 65,535.
    public var rows: Int

    /// Makes one from its parts.
    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// What the client of a WebSocket says after the request, in text messages. Input comes in binary ones.
public struct OneOffMessage: Codable, Sendable, Hashable {
    /// The terminal's size has changed.
    public var window: TerminalWindow?
    /// There is no more input.
    public var endOfInput: Bool?

    /// Makes one from its parts.
    public init(window: TerminalWindow? = nil, endOfInput: Bool? = nil) {
        self.window = window
        self.endOfInput = endOfInput
    }
}

/// How a one-off ended.
public struct OneOffResult: Codable, Sendable, Hashable {
    /// The name that its log lines carry: `run.7`.
    public var name: String
    /// The exit status for a shell: the command's own, 128 plus the signal, or `nil` when it was detached.
    public var status: Int32?
    /// How it ended, in words; `nil` when it was detached.
    public var end: String?

    /// Makes one from its parts.
    public init(name: String, status: Int32?, end: String? = nil) {
        self.name = name
        self.status = status
        self.end = end
    }
}

/// A one-off that runs.
public struct OneOffInfo: Codable, Sendable, Hashable {
    /// Its name: `run.7`.
    public var name: String
    /// The command and its arguments.
    public var command: [String]
    /// The release that it runs with.
    public var release: Int
    /// Who started it.
    public var author: String
    /// When.
    public var startedAt: Date
    /// Whether a client gets its output now; else the application's log does.
    public var isAttached: Bool
    /// Whether it runs at a terminal.
    public var hasTerminal: Bool
    /// The size that limits it.
    public var size: String
    /// When it is ended, if it has not ended before.
    public var endsAt: Date?

    /// Makes one from its parts.
    public init(
        name: String, command: [String], release: Int, author: String, startedAt: Date, isAttached: Bool,
        hasTerminal: Bool, size: String, endsAt: Date?
    ) {
        self.name = name
        self.command = command
        self.release = release
        self.author = author
        self.startedAt = startedAt
        self.isAttached = isAttached
        self.hasTerminal = hasTerminal
        self.size = size
        self.endsAt = endsAt
    }
}
