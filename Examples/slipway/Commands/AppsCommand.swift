import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire
import SystemPackage

struct AppsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apps", abstract: "Create, list, rename and destroy applications.",
        subcommands: [Create.self, List.self, Info.self, Rename.self, Destroy.self], defaultSubcommand: List.self)

    struct Create: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an application.",
            discussion: """
                A name has lower-case letters, digits and hyphens. In a git work tree, the remote `slipway` is added, so \
                that `git push slipway main` deploys; git gets the access token from this program when it asks.
                """)
        @Argument(help: "The name of the application.") var name: String
        @Flag(name: .customLong("no-remote"), help: "Leave the git work tree alone.") var isWithoutRemote = false
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession) async throws {
            let application = try await session.api.createApplication(named: self.name)
            try session.terminal.printLine("Created \(application.name), which will be at \(application.url)")
            guard !self.isWithoutRemote else { return }
            if let workTree = WorkTree.containing(FilePath(FileManager.default.currentDirectoryPath)) {
                await Git(workTree: workTree, terminal: session.terminal).connect(to: application, host: self.host)
            }
        }
    }

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List the applications.")
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession) async throws {
            let applications = try await session.api.applications()
            try session.show(applications, self.listing) {
                var table = TextTable(["NAME", "RELEASE", "FORMATION", "STATE", "URL"])
                for application in applications {
                    table.add(
                        application.name, application.release.map { "v\($0)" } ?? "-",
                        AppsCommand.formation(application), application.maintenance ? "maintenance" : "on",
                        application.url)
                }
                return table.text(header: session.terminal.bold)
            }
        }
    }

    struct Info: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Show an application.")
        @Argument(help: "The application, instead of --app.") var name: String?
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run() async throws {
            try await ClientSession.with(self.host, application: self.name ?? self.app.name) { session in
                try await self.run(session, application: try session.settings.application())
            }
        }

        func run(_ session: ClientSession, application name: String) async throws {
            let application = try await session.api.application(named: name)
            try session.show(application, self.listing) {
                session.terminal.fields([
                    ("Name", application.name), ("URL", application.url), ("Git", application.gitURL),
                    ("Release", application.release.map { "v\($0)" } ?? "nothing is deployed yet"),
                    ("Formation", AppsCommand.formation(application)),
                    ("Maintenance", application.maintenance ? "on" : "off"),
                    ("Domains", application.domains.joined(separator: ", ")),
                    ("Created", WireJSON.text(of: application.createdAt)),
                ])
            }
        }
    }

    struct Rename: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give an application another name.",
            discussion: "Its host and git address change with it; the remote `slipway` of this work tree follows.")
        @Argument(help: "The new name.") var newName: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let renamed = try await session.api.renameApplication(application, to: self.newName)
            try session.terminal.printLine("\(application) is \(renamed.name) now, at \(renamed.url)")
            let workTree = WorkTree.containing(FilePath(FileManager.default.currentDirectoryPath))
            if let workTree, workTree.application == application {
                await Git(workTree: workTree, terminal: session.terminal).connect(to: renamed, host: self.host)
            }
        }
    }

    struct Destroy: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy an application with everything that belongs to it.",
            discussion:
                "Its instances are stopped; its repository, slugs, config, releases and log are removed for good.")
        @Option(help: ArgumentHelp("The application to destroy, spelled out.", valueName: "name")) var confirm: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func validate() throws {
            if let name = self.app.name, name != self.confirm {
                throw ValidationError("--confirm says \(self.confirm), but --app says \(name).")
            }
        }

        func run(_ session: ClientSession) async throws {
            try await session.api.destroyApplication(self.confirm)
            try session.terminal.printLine("Destroyed \(self.confirm)")
        }
    }

    private static func formation(_ application: ApplicationInfo) -> String {
        let types = application.formation.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return types.isEmpty ? "-" : types.joined(separator: " ")
    }
}

extension Terminal {
    /// Names and values, aligned.
    func fields(_ fields: [(name: String, value: String)]) -> String {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { field in
            let padding = String(repeating: " ", count: width - field.name.count)
            return self.bold(field.name + ":") + padding + "  " + TerminalText.line(field.value) + "\n"
        }.joined()
    }
}
