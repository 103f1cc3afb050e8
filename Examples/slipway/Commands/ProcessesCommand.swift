import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire

/// `web=3`, `web=3:large` or `web=:large` on the command line.
struct ScaleArgument: ExpressibleByArgument {
    let type: String
    let quantity: Int?
    let size: String?

    init?(argument: String) {
        let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        let wish = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        self.type = String(parts[0])
        self.quantity = Int(wish[0])
        self.size = wish.count == 2 ? String(wish[1]) : nil
        guard self.size != "", self.quantity ?? 0 >= 0, self.quantity != nil || (wish[0].isEmpty && self.size != nil)
        else {
            return nil
        }
    }
}

struct ProcessesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List, scale, restart and stop instances.",
        subcommands: [List.self, Scale.self, Restart.self, Stop.self], defaultSubcommand: List.self)

    struct List: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the instances of an application.",
            discussion: """
                NOTE says why an instance is not ready, or how it ended the last time: its exit status, or for what it was \
                ended (out of memory, a liveness check, the boot timeout, recycling). `slipway logs --source platform` has \
                all of it.
                """)
        @OptionGroup var app: ApplicationOption
        @OptionGroup var listing: ListingOptions
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            let instances = try await session.api.instances(of: application)
            try session.show(instances, self.listing) { ProcessesCommand.table(instances, session) }
        }
    }

    struct Scale: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how many instances of a process type run, and what each may use.",
            discussion: """
                web=3 sets the number, web=3:large the size as well, web=:large the size alone: a name of what the platform \
                limits memory, processors, processes and open files to (small, medium, large, huge, unlimited, if it was not told \
                others). Instances of another size are replaced, and no request is lost. Returns when all are ready. Process \
                types that are not named stay as they are. A singleton (app.json) has one instance at most.
                """)
        @Argument(help: ArgumentHelp("How many of what.", valueName: "TYPE=N[:SIZE]")) var quantities: [ScaleArgument]
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func validate() throws {
            let types = self.quantities.map(\.type)
            for type in types where types.filter({ $0 == type }).count > 1 {
                throw ValidationError("\(type) is given twice.")
            }
        }

        func run(_ session: ClientSession, application: String) async throws {
            var (numbers, sizes): ([String: Int], [String: String]) = ([:], [:])
            for wish in self.quantities { (numbers[wish.type], sizes[wish.type]) = (wish.quantity, wish.size) }
            let instances = try await session.api.scale(
                application, to: numbers, sizes: sizes, onLine: session.progress)
            try session.terminal.print(ProcessesCommand.table(instances, session))
        }
    }

    struct Restart: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace instances by fresh ones.",
            discussion: """
                All of them, those of a process type (web), or one (web.1). No request is lost: each old one ends when its \
                successor is ready; but that of a singleton (app.json) ends before the new one is started.
                """)
        @Argument(help: ArgumentHelp("A process type or an instance.", valueName: "TYPE[.N]")) var target: String?
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.restart(self.target, of: application, onLine: session.progress)
            try session.terminal.printLine("Restarted \(self.target ?? application).")
        }
    }

    struct Stop: ApplicationCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop one instance.",
            discussion: "The formation brings it back; `slipway ps scale TYPE=0` is what stops for good.")
        @Argument(help: ArgumentHelp("The instance.", valueName: "TYPE.N")) var name: String
        @OptionGroup var app: ApplicationOption
        @OptionGroup var host: HostOptions

        func run(_ session: ClientSession, application: String) async throws {
            _ = try await session.api.stopInstance(self.name, of: application)
            try session.terminal.printLine("Stopped \(self.name).")
        }
    }

    private static func table(_ instances: [InstanceInfo], _ session: ClientSession) -> String {
        let now = Date()
        var table = TextTable(
            ["INSTANCE", "STATE", "RELEASE", "UP", "RESTARTS", "MEMORY", "SIZE", "PID", "PORT", "NOTE"],
            right: ["UP", "RESTARTS", "MEMORY", "PID", "PORT"])
        for instance in instances {
            table.add(
                instance.name, instance.state + (instance.isRouted ? ", routed" : ""), "v\(instance.release)",
                instance.startedAt.map { Quantities.age(from: $0, to: now) } ?? "-", String(instance.restarts),
                instance.memoryBytes.map(Quantities.bytes) ?? "-", instance.size ?? "-",
                instance.pid.map { String($0) } ?? "-",
                instance.port.map { String($0) } ?? "-", Self.note(instance))
        }
        return table.text(header: session.terminal.bold)
    }

    /// Why it is as it is; of one that runs again, how it ended before, which is what its restarts are for.
    private static func note(_ instance: InstanceInfo) -> String {
        let last = instance.restarts > 0 ? instance.lastExit.map { "last: \($0)" } : nil
        return switch instance.state {
        case "ready": last ?? ""
        case "starting", "unready": [instance.lastProbe, last].compactMap(\.self).joined(separator: "; ")
        default: instance.lastExit ?? instance.lastProbe ?? ""
        }
    }
}
