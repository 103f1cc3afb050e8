import ArgumentParser
import PlatformClient
import PlatformWire

struct LogsCommand: ApplicationCommand {
    /// What writes to an application's log.
    enum Source: String, ExpressibleByArgument, CaseIterable {
        case app, router, build, release, platform
    }

    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print the log of an application.",
        discussion:
            "The last lines of all its processes, of the router and of the platform; with --tail, those to come too.")
    @Option(name: [.customShort("n"), .customLong("num")], help: ArgumentHelp("How many lines.", valueName: "n"))
    var limit = 100
    @Flag(name: [.customShort("t"), .long], help: "Go on with the lines to come, until Ctrl-C.") var tail = false
    @Option(help: "Only lines of this source; may be given again.") var source: [Source] = []
    @Option(help: ArgumentHelp("Only lines of a process.", valueName: "TYPE[.N]")) var ps: String?
    @Flag(name: .customLong("json"), help: "Print each line as JSON, for programs.") var isJSON = false
    @OptionGroup var app: ApplicationOption
    @OptionGroup var host: HostOptions

    func validate() throws {
        if self.limit < 0 { throw ValidationError("-n takes a number of lines.") }
    }

    func run(_ session: ClientSession, application: String) async throws {
        var selection = APIClient.LogSelection()
        selection.limit = self.limit
        selection.sources = self.source.map(\.rawValue)
        selection.process = self.ps
        selection.tail = self.tail
        let format = LogLineFormat(isTerminal: session.terminal.isTerminal, isColoured: session.terminal.isColoured)
        try await session.api.logs(of: application, selection) { line in
            if self.isJSON {
                try session.terminal.write(Array(try WireJSON.encode(line)) + [UInt8(ascii: "\n")])
            } else {
                try session.terminal.printLine(format.text(line))
            }
        }
    }
}
