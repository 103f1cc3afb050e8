import ArgumentParser
import PlatformClient

struct DomainsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "domains", abstract: "Add, remove and list the hosts that lead to an application.",
        subcommands: [Add.self, Remove.self, List.self], defaultSubcommand: List.self)

    struct Add: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Let a host lead to an application.")
        @Argument(help: "The host: www.example.com.") var domain: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.addDomain(self.domain, to: application)
            try session.terminal.printLine("\(self.domain) leads to \(application).")
        }
    }

    struct Remove: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Let a host lead nowhere again.")
        @Argument(help: "The host: www.example.com.") var domain: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.removeDomain(self.domain, from: application)
            try session.terminal.printLine("\(self.domain) does not lead to \(application) any more.")
        }
    }

    struct List: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "List the hosts that lead to an application.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let domains = try await session.api.domains(of: application)
            try session.show(domains, self.listing) { domains.map { TerminalText.line($0) + "\n" }.joined() }
        }
    }
}
