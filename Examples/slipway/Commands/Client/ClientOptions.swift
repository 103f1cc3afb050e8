import ArgumentParser
import PlatformClient

/// Where the host is. Every client command takes these.
struct HostOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The admin address of the host.",
            discussion: "Else SLIPWAY_URL, else \(ClientSettings.defaultURL).", valueName: "url"))
    var url: String?

    @Option(
        help: ArgumentHelp(
            "An access token.",
            discussion: """
                Else SLIPWAY_TOKEN, else the file admin-token in the host's data directory. Other users of this machine \
                can see options; the variable and the file they cannot.
                """, valueName: "token"))
    var token: String?

    @Option(
        help: ArgumentHelp(
            "The data directory of a host on this machine, for its token.",
            discussion: "Else SLIPWAY_DATA, else ./\(ClientSettings.defaultData).", valueName: "directory"))
    var data: String?
}

/// Which application. Commands about one application take this.
struct ApplicationOption: ParsableArguments {
    @Option(
        name: [.customLong("app"), .customShort("a")],
        help: ArgumentHelp(
            "The application.",
            discussion: "Else SLIPWAY_APP, else what the git remote `slipway` of the working directory leads to.",
            valueName: "name"))
    var name: String?
}

/// How a listing is printed.
struct ListingOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON, for programs.")
    var isJSON = false
}
