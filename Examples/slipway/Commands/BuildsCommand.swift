import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

struct BuildsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "builds", abstract: "List deployments, read their logs, cancel one.",
        subcommands: [List.self, Log.self, Cancel.self], defaultSubcommand: List.self)

    struct List: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the deployments of an application, newest first.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let deployments = try await session.api.deployments(of: application)
            try session.show(deployments, self.listing) {
                let now = Date()
                var table = TextTable(
                    ["NUMBER", "STATE", "RELEASE", "AGE", "TOOK", "BY", "DESCRIPTION", "CAUSE"],
                    right: ["NUMBER", "AGE"])
                for deployment in deployments {
                    table.add(
                        String(deployment.number), deployment.state.rawValue,
                        deployment.release.map { "v\($0)" } ?? "-", Quantities.age(from: deployment.createdAt, to: now),
                        deployment.finishedAt.map { Quantities.age(from: deployment.createdAt, to: $0) } ?? "-",
                        deployment.author, deployment.description, deployment.cause ?? "")
                }
                return table.text(header: session.terminal.bold)
            }
        }
    }

    struct Log: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Print what a deployment printed.")
        @Argument(help: "The number of the deployment.") var number: Int
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let log = try await session.api.deploymentLog(self.number, of: application)
            guard session.terminal.isTerminal else { return try session.terminal.print(log) }
            for line in log.split(separator: "\n", omittingEmptySubsequences: false) {
                try session.terminal.printLine(TerminalText.coloured(line))
            }
        }
    }

    struct Cancel: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel a deployment that has not finished.",
            discussion: "The release that is live stays live.")
        @Argument(help: "The number of the deployment.") var number: Int
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let deployment = try await session.api.cancelDeployment(self.number, of: application)
            try session.terminal.printLine("Deployment \(deployment.number) is \(deployment.state.rawValue).")
        }
    }
}
