import ArgumentParser
import PlatformClient

struct MaintenanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintenance", abstract: "Show visitors the maintenance page, or the application again.",
        subcommands: [On.self, Off.self])

    struct On: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answer every request with the maintenance page.",
            discussion: "Instances go on running; so do one-offs, deployments and processes other than web.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.setMaintenance(true, of: application)
            try session.terminal.printLine("\(application) shows its maintenance page.")
        }
    }

    struct Off: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Route requests to the application again.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.setMaintenance(false, of: application)
            try session.terminal.printLine("\(application) answers again.")
        }
    }
}
