import ArgumentParser
import PlatformClient
import PlatformWire

/// `KEY=VALUE` on the command line.
struct ConfigAssignment: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
        self.key = String(argument[..<equals])
        self.value = String(argument[argument.index(after: equals)...])
    }
}

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show, set and remove config variables.",
        subcommands: [List.self, Get.self, Set.self, Unset.self], defaultSubcommand: List.self)

    struct List: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "List the config variables with their values.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let config = try await session.api.config(of: application)
            try session.show(config, self.listing) {
                var table = TextTable(["KEY", "VALUE"])
                for (key, value) in config.sorted(by: { $0.key < $1.key }) { table.add(key, value) }
                return table.text(header: session.terminal.bold)
            }
        }
    }

    struct Get: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the value of a config variable, and nothing else.")
        @Argument(help: "The name of the variable.") var key: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            guard let value = try await session.api.config(of: application)[self.key] else {
                throw ClientError(.invalid, "\(application) has no config variable \(self.key).")
            }
            try session.terminal.printLine(value)
        }
    }

    struct Set: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set config variables, and roll the change out.",
            discussion: """
                All of them make one new release of the slug that is live. When it does not become ready, the release \
                before it stays live.
                """)
        @Argument(help: ArgumentHelp("What to set.", valueName: "KEY=VALUE")) var assignments: [ConfigAssignment]
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func validate() throws {
            let keys = self.assignments.map(\.key)
            for key in keys where keys.filter({ $0 == key }).count > 1 {
                throw ValidationError("\(key) is given twice.")
            }
        }

        func run(_ session: ClientSession, application: String) async throws {
            let changes = self.assignments.map { ($0.key, String?.some($0.value)) }
            try await ConfigCommand.change(Dictionary(uniqueKeysWithValues: changes), of: application, session)
        }
    }

    struct Unset: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Remove config variables, and roll the change out.")
        @Argument(help: ArgumentHelp("What to remove.", valueName: "KEY")) var keys: [String]
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let changes = self.keys.map { ($0, String?.none) }
            try await ConfigCommand.change(Dictionary(changes) { first, _ in first }, of: application, session)
        }
    }

    private static func change(
        _ changes: [String: String?], of application: String, _ session: ClientSession
    ) async throws {
        let release = try await session.api.changeConfig(changes, of: application, onLine: session.progress)
        let names = changes.keys.sorted().joined(separator: ", ")
        if let release {
            try session.terminal.printLine("Changed \(names): v\(release.version) is live.")
        } else {
            try session.terminal.printLine("Changed \(names): the first release will have it.")
        }
    }
}
