import ArgumentParser
import PlatformClient
import PlatformWire

struct HTTPSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "https", abstract: "Send visitors of an application to HTTPS, or let them come without.",
        subcommands: [On.self, Off.self, Show.self], defaultSubcommand: Show.self)

    struct On: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send visitors who come without TLS to https, with status 308.",
            discussion: """
                With --hsts browsers are told to come with TLS only, for so long: begin with a day (86400), because there \
                is no way back before that time is over. --hsts 0 has them forget it.
                """)
        @Option(
            help: ArgumentHelp("For how long browsers are to come with TLS only, to two years.", valueName: "seconds"))
        var hsts: Int?
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let change = HTTPSChange(enforced: true, hstsSeconds: self.hsts)
            let https = try await session.api.setHTTPS(change, of: application)
            try session.terminal.printLine("Visitors of \(application) are sent to https.")
            if !https.unsecuredHosts.isEmpty {
                session.terminal.note(
                    "No certificate yet for \(https.unsecuredHosts.joined(separator: ", ")): "
                        + "visitors there are sent where nothing answers.")
            }
        }
    }

    struct Off: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let visitors come without TLS as well, and say nothing about it to browsers any more.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.setHTTPS(HTTPSChange(enforced: false), of: application)
            try session.terminal.printLine("Visitors of \(application) may come without TLS.")
        }
    }

    struct Show: ApplicationCommand {
        static let configuration = CommandConfiguration(abstract: "Show how an application is reached over HTTPS.")
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let https = try await session.api.https(of: application)
            try session.show(https, self.listing) {
                func list(_ hosts: [String]) -> String { hosts.isEmpty ? "-" : hosts.joined(separator: ", ") }
                return session.terminal.fields([
                    ("Served", https.isServed ? "yes" : "no: the platform was started without --https"),
                    ("Enforced", https.enforced ? "on" : "off"),
                    ("HSTS", https.hstsSeconds.map { "\($0) s" } ?? "off"),
                    ("Certificates", https.automaticCertificates ? "auto" : "added by hand"),
                    ("With one", list(https.securedHosts)), ("Without", list(https.unsecuredHosts)),
                ])
            }
        }
    }
}
