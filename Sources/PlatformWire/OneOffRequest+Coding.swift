/// Only the command must be given.
extension OneOffRequest {
    private enum Members: String, CodingKey {
        case command, environment, detach
    }

    /// Reads a request. Throws `DecodingError` without a command.
    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Members.self)
        self.init(
            command: try members.decode([String].self, forKey: .command),
            environment: try members.decodeIfPresent([String: String].self, forKey: .environment) ?? [:],
            detach: try members.decodeIfPresent(Bool.self, forKey: .detach) ?? false)
    }
}
