import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

/// A release as people write it: `v3` or `3`.
struct ReleaseArgument: ExpressibleByArgument {
    let version: Int

    init?(argument: String) {
        guard let version = Quantities.version(argument) else { return nil }
        self.version = version
    }
}

struct ReleasesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "releases", abstract: "List releases, look at one, roll back, keep one.",
        subcommands: [
            List.self, Info.self, Rollback.self, Pin.self, Unpin.self, Diff.self, Export.self,
        ], defaultSubcommand: List.self)

    struct List: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "List the releases of an application, newest first.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let releases = try await session.api.releases(of: application)
            try session.show(releases, self.listing) {
                let now = Date()
                var table = TextTable(["RELEASE", "STATE", "AGE", "BY", "COMMIT", "DESCRIPTION"], right: ["AGE"])
                for release in releases {
                    table.add(
                        "v\(release.version)", Self.state(of: release),
                        Quantities.age(from: release.createdAt, to: now), release.author,
                        release.commit.map { String($0.prefix(8)) } ?? "-", release.description)
                }
                return table.text(header: session.terminal.bold)
            }
        }

        private static func state(of release: ReleaseInfo) -> String {
            [release.isLive ? "live" : nil, release.isPinned ? "pinned" : nil].compactMap { $0 }.joined(separator: ", ")
        }
    }

    struct Info: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Show a release.")
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let release = try await session.api.release(self.release.version, of: application)
            try session.show(release, self.listing) {
                var fields = [
                    (
                        "Release",
                        "v\(release.version)" + (release.isLive ? " (live)" : "")
                            + (release.isPinned ? " (pinned)" : "")
                    ),
                    ("Description", release.description), ("By", release.author),
                    ("Commit", release.commit ?? "-"), ("Slug", release.slug),
                    ("Created", WireJSON.text(of: release.createdAt)),
                    ("Config", release.configKeys.sorted().joined(separator: ", ")),
                ]
                for (type, command) in release.processTypes.sorted(by: { $0.key < $1.key }) {
                    fields.append(("Process \(type)", command))
                }
                return session.terminal.fields(fields)
            }
        }
    }

    struct Rollback: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go back to an earlier release.",
            discussion: """
                Makes a new release of the old one's slug and config and rolls it out; nothing is built. Without a release, \
                goes back to the one before the live one.
                """)
        @Argument(help: "The release: v3 or 3.") var release: ReleaseArgument?
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let release = try await session.api.rollback(
                application, to: self.release?.version, onLine: session.progress)
            try session.terminal.printLine("v\(release.version) is live: \(TerminalText.line(release.description))")
        }
    }
}
