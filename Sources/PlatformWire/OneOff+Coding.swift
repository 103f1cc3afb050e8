/// Only the command must be given.
extension OneOffRequest {
    private enum Members: String, CodingKey {
        case command, environment, detach, keep, timeoutSeconds, size, terminal
    }

    /// Reads a request. Throws `DecodingError` without a command.
    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Members.self)
        self.init(
            command: try members.decode([String].self, forKey: .command),
            environment: try members.decodeIfPresent([String: String].self, forKey: .environment) ?? [:],
            detach: try members.decodeIfPresent(Bool.self, forKey: .detach) ?? false,
            keep: try members.decodeIfPresent(Bool.self, forKey: .keep) ?? false,
            timeoutSeconds: try members.decodeIfPresent(Int.self, forKey: .timeoutSeconds),
            size: try members.decodeIfPresent(String.self, forKey: .size),
            terminal: try members.decodeIfPresent(TerminalWindow.self, forKey: .terminal))
    }
}
