// Runs the process types of a Procfile side by side, as foreman, honcho and overmind do.
import ArgumentParser
import Foundation
import ProcessSupervisor
import SystemPackage

@main
struct ProcfileRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "procfile-runner", abstract: "Run the processes of a Procfile.",
        subcommands: [Start.self, Restart.self], defaultSubcommand: Start.self)
}

/// Where the Procfile is.
struct Place: ParsableArguments {
    @Option(name: [.customShort("d"), .long], help: "Where the Procfile is, and where the processes run.")
    var directory = "."
    @Option(name: [.customShort("f"), .long], help: "The file, in the directory.") var procfile = "Procfile"

    var path: String { URL(filePath: self.directory).standardizedFileURL.path }

    func read() throws -> Procfile {
        let file = URL(filePath: self.path).appending(path: self.procfile)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            throw ValidationError("There is no \(self.procfile) in \(self.path).")
        }
        return try Procfile(text)
    }
}

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the processes, until one ends or Ctrl-C.",
        discussion: """
            PORT is the base port, 100 more for each type and 1 more for each process of it. The first process to end \
            ends all, and its status is that of this program; after a signal it is 128 and the signal's number.
            """)
    @OptionGroup var place: Place
    @Option(name: [.customShort("m"), .long], help: "How many of each, as web=2,worker=1,all=0; else one.")
    var formation = ""
    @Option(
        name: [.customShort("e"), .long], help: "A file with NAME=VALUE lines; may be given again. Else .env, if any.")
    var env: [String] = []
    @Option(name: [.customShort("p"), .long], help: "The base port; else PORT of the environment, or 5000.")
    var port: Int?
    @Option(
        name: [.customShort("s"), .long], help: "The signal that ends a process: TERM, INT, QUIT, HUP, USR1, USR2.")
    var signal = "TERM"
    @Option(name: [.customShort("t"), .long], help: "Seconds that a process has after that, before it is killed.")
    var timeout = 10
    @Flag(help: "The end of one process is not the end of all; the status is the first that is not 0.")
    var keepGoing = false

    func run() async throws {
        let procfile = try self.place.read()
        var variables = ProcessInfo.processInfo.environment
        for file in self.env.isEmpty ? [".env"] : self.env {
            let path = URL(filePath: self.place.path).appending(path: file)
            guard let text = try? String(contentsOf: path, encoding: .utf8) else {
                if self.env.isEmpty { continue }
                throw ValidationError("There is no \(file) in \(self.place.path).")
            }
            variables.merge(try environment(text, file: file)) { $1 }
        }
        let signals = [
            "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "TERM": SIGTERM, "USR1": SIGUSR1, "USR2": SIGUSR2,
        ]
        guard let signal = signals[self.signal] else {
            throw ValidationError("\(self.signal) is not one of the signals.")
        }
        guard (0...86400).contains(self.timeout) else {
            throw ValidationError("The timeout is from 0 to 86400 seconds.")
        }
        let base = self.port ?? variables["PORT"].flatMap { Int($0) } ?? 5000
        guard (1...65535).contains(base) else { throw ValidationError("A port is from 1 to 65535.") }
        let places = try procfile.places(procfile_runner.formation(self.formation), basePort: base)
        let runner = Runner(
            directory: self.place.path, places: places, environment: variables,
            stop: StopPolicy(signal: signal, grace: .seconds(self.timeout)), keepsGoing: self.keepGoing,
            isColoured: isatty(1) == 1 && variables["NO_COLOR"] == nil)
        // Who pipes this into something that ends wants the processes to be ended, and not to be left alone.
        Foundation.signal(SIGPIPE, SIG_IGN)
        throw ExitCode(try await runner.run())
    }
}

struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Restart a process, or all of a type, in the runner that works in this directory.")
    @OptionGroup var place: Place
    @Argument(help: "Such as web.1, or web.") var name: String

    func run() throws {
        let types = try self.place.read().types.map(\.name)
        guard types.contains(where: { self.name == $0 || self.name.hasPrefix($0 + ".") }) else {
            throw ValidationError(
                "There is no \(self.name) in the Procfile; there is \(types.joined(separator: ", ")).")
        }
        guard ControlChannel.send(self.name, to: Runner.control(in: self.place.path)) else {
            throw ValidationError("No runner works in \(self.place.path).")
        }
    }
}
