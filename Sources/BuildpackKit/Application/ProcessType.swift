/// One way to run a built application: `web`, `worker`, `release`, …
public struct ProcessType: Hashable, Codable, Sendable {
    /// The name, for example `web`.
    public var name: String
    /// What runs: shell text, with `$PORT` and the config variables to be expanded when it starts.
    public var command: String

    /// Creates a process type.
    public init(name: String, command: String) {
        self.name = name
        self.command = command
    }
}

extension [ProcessType] {
    /// These types, followed by those of `defaults` that are not among them.
    func completed(by defaults: [ProcessType]) -> [ProcessType] {
        let names = Set(self.map(\.name))
        return self + defaults.filter { !names.contains($0.name) }
    }
}
