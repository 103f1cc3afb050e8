import ArgumentParser

@main
struct Slipway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slipway",
        abstract: "A platform for your applications on a machine of your own.",
        discussion: """
            `slipway serve` runs the platform. Every other command is a client of one that runs.

            Create an application in its git work tree, and push:
              slipway apps create hello
              git push slipway main
            """,
        version: "0.1.0",
        subcommands: [Serve.self] + ClientCommands.all + [StaticServer.self])
}
