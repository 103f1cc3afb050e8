import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

struct RunCommand: ApplicationCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a command with the live release: a one-off.",
        discussion: """
            The command has the release's files and config variables. Its exit status is this program's.

            At a terminal it gets one of its own: what is typed goes to it, Ctrl-C too, and it knows the window's size. \
            Otherwise it reads this program's standard input and its output is printed as it comes, byte for byte; Ctrl-C \
            then ends it. It ends when this program goes away, unless --keep is given; with --detach it runs on by itself from \
            the start. The output of one that nobody is attached to goes to the application's log.

            --list shows those that run; `slipway ps stop run.N` ends one.
            """)
    @Flag(help: "Return at once; the output goes to the log.") var detach = false
    @Flag(help: "Let the command go on when this program goes away.") var keep = false
    @Flag(help: "List the one-offs that run, and run nothing.") var list = false
    @Flag(inversion: .prefixedNo, help: "Give the command a terminal. (default: when this program has one)")
    var tty: Bool?
    @Option(help: ArgumentHelp("End the command after so long.", valueName: "seconds")) var timeout: Int?
    @Option(help: ArgumentHelp("What the command may use: the name of a size.", valueName: "name")) var size: String?
    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("A variable for this run alone; may be given again.", valueName: "KEY=VALUE"))
    var environment: [ConfigAssignment] = []
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after `--`.") var command: [String] = []
    @OptionGroup var listing: ListingOptions
    @OptionGroup var app: ApplicationOption
    @OptionGroup var host: HostOptions

    func validate() throws {
        if self.list {
            guard self.command.isEmpty else { throw ValidationError("--list runs nothing: leave the command out.") }
            return
        }
        if self.listing.isJSON { throw ValidationError("--json goes with --list.") }
        if self.command.isEmpty {
            throw ValidationError("Give the command after two hyphens: slipway run -- COMMAND …")
        }
        if self.detach, self.tty == true || self.keep {
            throw ValidationError("--detach goes with neither --tty nor --keep: nobody is attached from the start.")
        }
    }

    func run(_ session: ClientSession, application: String) async throws {
        if self.list { return try await self.printList(session, application) }
        let variables = Dictionary(self.environment.map { ($0.key, $0.value) }) { _, last in last }
        let request = OneOffRequest(
            command: self.command, environment: variables, detach: self.detach, keep: self.keep,
            timeoutSeconds: self.timeout, size: self.size)
        guard !self.detach else {
            let result = try await session.api.run(request, of: application) { _ in }
            return try session.terminal.printLine(
                "Started \(result.name); follow it with: slipway logs --tail --ps \(result.name) --app \(application)")
        }
        let result = try await AttachedRun(
            session: session, application: application, request: request, hasTerminal: self.tty ?? RawTerminal.isThere
        ).run()
        let status = result.status ?? 0
        // A status says nothing of memory, and the shell's "Killed" would be this program's.
        if status > 128, let end = result.end { session.terminal.note("\(result.name) ended: \(end)") }
        if status != 0 { throw ExitCode(status) }
    }

    private func printList(_ session: ClientSession, _ application: String) async throws {
        let oneOffs = try await session.api.oneOffs(of: application)
        try session.show(oneOffs, self.listing) {
            let now = Date()
            var table = TextTable(
                ["ONE-OFF", "RELEASE", "UP", "ENDS IN", "SIZE", "STARTED BY", "ATTACHED", "COMMAND"],
                right: ["UP", "ENDS IN"])
            for oneOff in oneOffs {
                let attached = oneOff.isAttached ? (oneOff.hasTerminal ? "at a terminal" : "yes") : "no"
                table.add(
                    oneOff.name, "v\(oneOff.release)", Quantities.age(from: oneOff.startedAt, to: now),
                    oneOff.endsAt.map { Quantities.age(from: now, to: $0) } ?? "-", oneOff.size, oneOff.author,
                    attached, oneOff.command.joined(separator: " "))
            }
            return table.text(header: session.terminal.bold)
        }
    }
}
