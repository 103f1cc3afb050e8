import ArgumentParser
import PlatformClient
import PlatformWire

struct RunCommand: ApplicationCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a command with the live release: a one-off.",
        discussion: """
            The command has the release's files and config variables. Its output is printed as it comes, byte for byte; its \
            exit status is this program's. Ctrl-C stops it. With --detach it runs on by itself, and its output goes to the \
            application's log.
            """)
    @Flag(help: "Return at once; the output goes to the log.") var detach = false
    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("A variable for this run alone; may be given again.", valueName: "KEY=VALUE"))
    var environment: [ConfigAssignment] = []
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after `--`.") var command: [String] = []
    @OptionGroup var app: ApplicationOption
    @OptionGroup var host: HostOptions

    func validate() throws {
        if self.command.isEmpty {
            throw ValidationError("Give the command after two hyphens: slipway run -- COMMAND …")
        }
    }

    func run(_ session: ClientSession, application: String) async throws {
        let variables = Dictionary(self.environment.map { ($0.key, $0.value) }) { _, last in last }
        let request = OneOffRequest(command: self.command, environment: variables, detach: self.detach)
        let result = try await session.api.run(
            request, of: application,
            onLine: { line in session.terminal.note(TerminalText.line(line)) },
            onOutput: { bytes in try session.terminal.write(bytes) })
        guard let status = result.status else {
            return try session.terminal.printLine(
                "Started \(result.name); follow it with: slipway logs --tail --ps \(result.name) --app \(application)")
        }
        if status != 0 { throw ExitCode(status) }
    }
}
