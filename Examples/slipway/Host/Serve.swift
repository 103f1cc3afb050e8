import ArgumentParser
import Foundation
import Logging
import RouterCore
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the platform.",
        discussion: """
            Each option can also be set in a TOML file (--config) under its long name, and by an environment variable: \
            --https is `https` in the file and SLIPWAY_HTTPS in the environment. The command line wins over the \
            environment, the environment over the file.

            Ctrl-C and SIGTERM stop the platform and its applications; SIGKILL leaves the applications running, and \
            the next start takes them over.
            """)

    @OptionGroup var options: ServeOptions

    /// How a host starts the one that is to take over from it.
    static let successorFlag = "--successor"

    func run() async throws {
        // A client that goes away while it is written to must not end the host.
        signal(SIGPIPE, SIG_IGN)
        // Two for each connection that the router takes, and as many as a half more for all else.
        DescriptorLimit.raise(to: 65_536)
        let settings = try ServeSettings(options: self.options)
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = settings.logLevel
            return handler
        }
        let flags = [Self.successorFlag]
        try await Host(
            settings: settings, logger: Logger(label: "slipway"),
            predecessor: self.options.successor ? Predecessor() : nil,
            arguments: CommandLine.arguments.dropFirst().filter { !flags.contains($0) }
        ) { addresses in
            print(addresses.announcement)
            // Whoever reads this through a pipe waits for it.
            fflush(nil)
        }.run(endingOn: [.sigterm, .sigint])
    }
}

/// The options as they stand on the command line; what is missing comes from elsewhere.
struct ServeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where everything is kept. (default: ./slipway-data)", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "Where slugs are for all hosts of the platform: s3://BUCKET/PREFIX?region=REGION or oci://REGISTRY/NAME. (default: on this "
                + "machine alone)",
            discussion: """
                The data directory has a copy of what this host runs. Who asks is said in the file or the environment \
                (slugs-user and slugs-password; for S3 the access key and its secret, and slugs-session-token). More \
                options of an address: endpoint=URL, addressing=path, mode=write-back.
                """, valueName: "address"))
    var slugs: String?

    @Option(help: ArgumentHelp("Where applications are served. (default: 127.0.0.1:8080)", valueName: "address"))
    var http: String?

    @Option(
        help: ArgumentHelp(
            "Where applications are served over HTTPS, such as 0.0.0.0:443.",
            discussion: "Not at all without it. Certificates come by `slipway certs`.", valueName: "address"))
    var https: String?

    @Option(
        help: ArgumentHelp(
            "Networks of proxies in front of the host, such as 127.0.0.1,10.0.0.0/8.",
            discussion: "What they say about clients is believed; the limit of connections per address is not theirs.",
            valueName: "networks"))
    var trustedProxies: String?

    @Option(
        help: ArgumentHelp(
            "The directory of the ACME authority that issues certificates for applications that want it (`slipway certs auto`). "
                + "(default: Let's Encrypt's)", valueName: "url"))
    var acmeDirectory: String?

    @Option(help: ArgumentHelp("Whom the ACME authority may write to.", valueName: "address"))
    var acmeEmail: String?

    @Option(
        help: ArgumentHelp(
            "The authority, as PEM, that signs the ACME server's own certificate, when this machine does not trust it.",
            valueName: "file"), completion: .file())
    var acmeCa: String?

    @Option(
        help: ArgumentHelp(
            "Where a line is written for each request; - is standard output.",
            discussion: "Not at all without it. A file that is moved away is begun anew.", valueName: "file"),
        completion: .file())
    var accessLog: String?

    @Option(
        help: ArgumentHelp(
            "How many of the requests that went well are written there, from 0 to 1. (default: 1)", valueName: "share"))
    var accessLogShare: Double?

    @Option(
        help: ArgumentHelp(
            "How long requests wait for an application that is being started or restarted; 0: not at all. (default: 30)",
            valueName: "seconds"))
    var startHold: Int?

    @Option(
        help: ArgumentHelp(
            "How many of an application's builds are kept for rollbacks. (default: 20)", valueName: "number"))
    var keepReleases: Int?

    @Option(
        help: ArgumentHelp(
            "For how many days after its last release a build is kept. (default: any)", valueName: "days"))
    var keepDays: Int?

    @Option(
        help: ArgumentHelp(
            "What an application's builds may take together in megabytes; the oldest go. (default: any)",
            valueName: "megabytes"))
    var keepMegabytes: Int?

    @Option(
        help: ArgumentHelp(
            "What this machine keeps of the builds in --slugs, in megabytes; those used least recently go, and are fetched when they "
                + "are needed. (default: any)", valueName: "megabytes"))
    var slugCacheMegabytes: Int?

    @Option(
        help: ArgumentHelp(
            "Every how many days all kept builds are read and checked; 0: never. (default: 7)", valueName: "days"))
    var checkSlugs: Int?

    @Flag(help: "Sign builds with a key of this host, and start nothing that is not signed with it.")
    var signSlugs = false

    @Option(
        help: ArgumentHelp(
            "The key of another host whose builds are started as well; may be repeated.",
            discussion: "Each host with --sign-slugs logs its own when it starts.", valueName: "key"))
    var trustSlugs: [String] = []

    @Option(
        help: ArgumentHelp("Where API, git, dashboard and metrics are. (default: 127.0.0.1:8081)", valueName: "address")
    )
    var admin: String?

    @Option(help: ArgumentHelp("Applications are found at NAME.DOMAIN. (default: localhost)", valueName: "domain"))
    var domain: String?

    @Option(help: ArgumentHelp("A file with these options.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Ports that instances get, as FIRST-LAST. (default: 20000-29999)", valueName: "range"))
    var instancePorts: String?

    @Option(help: ArgumentHelp("How long instances may take to end after SIGTERM. (default: 30)", valueName: "seconds"))
    var stopGrace: Int?

    @Option(help: ArgumentHelp("How long instances may take to become ready. (default: 60)", valueName: "seconds"))
    var bootTimeout: Int?

    @Option(help: ArgumentHelp("How long a build may take. (default: 900)", valueName: "seconds"))
    var buildTimeout: Int?

    @Option(
        help: ArgumentHelp("A directory with a buildpack (bin/detect, bin/compile); may be repeated.", valueName: "dir")
    )
    var buildpack: [String] = []

    @Option(
        help: ArgumentHelp(
            "How instances are kept from the machine: sandbox, oci (in containers of an OCI runtime), host (not at all), or "
                + "strongest, that is sandbox if it works or did so before with this data, and host if not. (default: strongest)",
            valueName: "level"))
    var isolation: String?

    @Option(
        help: ArgumentHelp(
            "What makes the containers of --isolation oci: a path, or a name such as crun. (default: runc)",
            valueName: "program"))
    var ociRuntime: String?

    @Option(
        help: ArgumentHelp(
            "Which network instances in a sandbox or a container are in: shared (the machine's), own (one for each, from "
                + "which it reaches the host alone), or forwarded (own, and what the machine passes on). (default: shared)",
            valueName: "network"))
    var network: String?

    @Option(
        help: ArgumentHelp(
            "The addresses of instances with networks of their own; the first is the host's. (default: 10.213.0.0/16)",
            valueName: "range"))
    var networkRange: String?

    @Option(
        help: ArgumentHelp(
            "What else of the machine instances in a sandbox or a container see, read-only, such as /srv/toolchain; may be repeated.",
            discussion: "Toolchains on the host's PATH are shown anyway.", valueName: "path"))
    var show: [String] = []

    @Option(
        help: ArgumentHelp(
            "The numbers of users, as FIRST-LAST, of which each application gets one for its processes, or none. "
                + "(default: 200000-265535 where the host is root and isolates instances, otherwise none)",
            valueName: "range"))
    var applicationUsers: String?

    @Flag(help: "Leave the applications running when the host stops.")
    var leaveRunning = false

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning or error. (default: notice)", valueName: "level"))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "What instances and one-offs may use for which no size was chosen. (default: unlimited)", valueName: "size")
    )
    var defaultSize: String?

    @Option(
        help: ArgumentHelp("How many one-offs of an application may run at a time. (default: 10)", valueName: "number"))
    var maxOneOffs: Int?

    @Option(
        help: ArgumentHelp("How long a one-off may take. (default: 86400)", valueName: "seconds"))
    var oneOffTimeout: Int?

    @Option(
        help: ArgumentHelp(
            "How long a new version may take to serve in an upgrade, before this one goes on. (default: 120)",
            valueName: "seconds"))
    var upgradeTimeout: Int?

    @Flag(help: .hidden)
    var successor = false

    @Option(help: .hidden)
    var killAt: String?
}
