import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

struct CertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs", abstract: "Add, remove and list certificates, or have them ordered.",
        subcommands: [Add.self, Auto.self, List.self, Remove.self], defaultSubcommand: List.self)

    /// Whose certificate it is.
    struct OwnerOptions: ParsableArguments {
        @Flag(help: "It is the platform's own. Needs an administrator's token.") var platform = false
        @OptionGroup var app: ApplicationOption

        func validate() throws {
            if self.platform, self.app.name != nil {
                throw ValidationError("A certificate is an application's (--app) or the platform's (--platform).")
            }
        }

        /// `nil` for the platform.
        func application(_ session: ClientSession) throws -> String? {
            self.platform ? nil : try session.settings.application()
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a certificate with its key; it is used from the next connection on.",
            discussion: """
                It is used for those hosts of the application that it names, and must name one at least. Older ones of the \
                application for the same hosts make way. With --platform it is the platform's own, for all hosts that it \
                names, of whatever application: such as a wildcard for the platform's domain.
                """)
        @Option(
            help: ArgumentHelp("The certificate and its intermediate ones, PEM.", valueName: "file"),
            completion: .file())
        var cert: String
        @Option(help: ArgumentHelp("The private key, PEM, not encrypted.", valueName: "file"), completion: .file())
        var key: String
        @OptionGroup var owner: OwnerOptions
        @OptionGroup var host: HostOptions

        func run() async throws {
            try await ClientSession.with(self.host, application: self.owner.app.name) { session in
                let upload = CertificateUpload(certificate: try Self.text(self.cert), key: try Self.text(self.key))
                let application = try self.owner.application(session)
                let added = try await session.api.addCertificate(upload, to: application)
                let days = added.daysLeft.map { " (\($0) days)" } ?? ""
                try session.terminal.printLine(
                    """
                    \(added.servedHosts.joined(separator: ", ")): served with the certificate by \(added.issuer ?? "-"), \
                    valid until \(CertsCommand.day(added.notAfter))\(days).
                    """)
                if let application { try await CertsCommand.remark(application, session) }
            }
        }

        private static func text(_ file: String) throws -> String {
            do {
                return String(decoding: try SmallFile.read(file), as: UTF8.self)
            } catch {
                throw ClientError(.invalid, "Cannot read \(file): \(error)")
            }
        }
    }

    struct Auto: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have certificates for the hosts of an application ordered and renewed, or not any more.",
            discussion: """
                They come from the ACME authority that the host was started with: Let's Encrypt, unless it says otherwise. \
                Switching it on agrees to that authority's terms of service. The authority connects to each host on port \
                80 or 443, so its name must lead here. Hosts that an added certificate names are left out.
                """)
        enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }
        @Argument(help: "on or off.") var state = Switch.on
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let change = HTTPSChange(automaticCertificates: self.state == .on)
            _ = try await session.api.setHTTPS(change, of: application)
            guard self.state == .on else {
                return try session.terminal.printLine("Certificates for \(application) are not ordered any more.")
            }
            let ordered = try await session.api.certificates(of: application).filter { $0.source == "acme" }
            let hosts = ordered.flatMap(\.hosts)
            try session.terminal.printLine(
                hosts.isEmpty
                    ? "Certificates for \(application) are ordered once it has a host that an authority can reach: "
                        + "slipway domains add HOST"
                    : "Certificates are ordered for \(hosts.joined(separator: ", ")). See: slipway certs list")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List certificates, also those that are being ordered.",
            discussion: "Of the application, if one is named (--app, or the git remote), else all of the platform.")
        @Flag(help: "All of the platform, wherever this is run.") var all = false
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run() async throws {
            try await ClientSession.with(self.host, application: self.app.name) { session in
                let application = self.all ? nil : try? session.settings.application()
                let certificates = try await session.api.certificates(of: application)
                try session.show(certificates, self.listing) { CertsCommand.text(certificates, session) }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an added certificate by a host that it names.",
            discussion: "It goes for all hosts that it names. Ordered ones go with: slipway certs auto off")
        @Argument(help: "The host: www.example.com, or *.example.com as a wildcard is named.") var domain: String
        @OptionGroup var owner: OwnerOptions
        @OptionGroup var host: HostOptions

        func run() async throws {
            try await ClientSession.with(self.host, application: self.owner.app.name) { session in
                let application = try self.owner.application(session)
                let removed = try await session.api.removeCertificate(host: self.domain, of: application)
                try session.terminal.printLine(
                    "Removed the certificate for \(removed.hosts.joined(separator: ", ")) by \(removed.issuer ?? "-").")
                if let application { try await CertsCommand.remark(application, session) }
            }
        }
    }

    // MARK: What is printed

    private static func text(_ certificates: [CertificateInfo], _ session: ClientSession) -> String {
        var table = TextTable(["HOSTS", "STATE", "SOURCE", "APP", "ISSUER", "NOT AFTER", "DAYS"], right: ["DAYS"])
        for certificate in certificates {
            table.add(
                certificate.hosts.joined(separator: ", "),
                certificate.servedHosts.isEmpty && certificate.issuer != nil
                    ? "\(certificate.state), unused" : certificate.state, certificate.source,
                certificate.application ?? "(platform)", certificate.issuer ?? "-", Self.day(certificate.notAfter),
                certificate.daysLeft.map { "\($0)" } ?? "-")
        }
        let problems = certificates.compactMap { certificate in
            certificate.lastError.map { error in
                let next = certificate.nextOrder.map { " (next try \(WireJSON.text(of: $0)))" } ?? ""
                return TerminalText.line("\(certificate.hosts.joined(separator: ", ")): \(error)\(next)") + "\n"
            }
        }
        return table.text(header: session.terminal.bold) + (problems.isEmpty ? "" : "\n" + problems.joined())
    }

    private static func day(_ date: Date?) -> String {
        date.map { String(WireJSON.text(of: $0).prefix(10)) } ?? "-"
    }

    /// Says what still keeps visitors from coming over HTTPS.
    private static func remark(_ application: String, _ session: ClientSession) async throws {
        let https = try await session.api.https(of: application)
        if !https.isServed {
            session.terminal.note("This platform does not serve HTTPS; start it with: slipway serve --https ADDRESS")
        } else if !https.unsecuredHosts.isEmpty {
            session.terminal.note("Without a certificate: \(https.unsecuredHosts.joined(separator: ", "))")
            guard https.enforced else { return }
            session.terminal.note(
                "Visitors there are sent to https, where nothing answers; to let them come without: slipway https off")
        }
    }
}
