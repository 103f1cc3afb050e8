import Foundation
import Logging
import ProcessSupervisor
import SystemPackage
import UnixSignals

/// The processes of a Procfile while they run.
struct Runner {
    enum Happening: Sendable {
        case event(SupervisorEvent)
        case signal(UnixSignal)
        /// `restart` of a process or of a type.
        case restart(String)
        case outputClosed
    }

    var directory: String
    var places: [Procfile.Place]
    var environment: [String: String]
    var stop: StopPolicy
    /// Whether the end of one is not the end of all.
    var keepsGoing: Bool
    var isColoured: Bool

    /// Where restarts are asked for, and where a runner that was killed leaves what the next one ends.
    static func stateDirectory(in directory: String) -> FilePath { FilePath(directory).appending(".procfile-runner") }
    static func control(in directory: String) -> FilePath { Self.stateDirectory(in: directory).appending("control") }

    /// Runs to the end and returns the status to exit with.
    func run() async throws -> Int32 {
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        let printer = LinePrinter(names: self.places.map(\.name), isColoured: self.isColoured) {
            feed.yield(.outputClosed)
        }
        let supervisor = Supervisor(
            configuration: .init(stateDirectory: Self.stateDirectory(in: self.directory)),
            // A developer's own programs, with the developer's own rights.
            launcher: HostLauncher(configuration: .init(noNewPrivileges: false, dropsCapabilities: false)),
            output: printer, logger: Logger(label: "procfile-runner") { _ in SwiftLogNoOpLogHandler() })
        let status = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await supervisor.run() }
            try await supervisor.waitUntilAdopted()
            // What a runner that was killed has left.
            for orphan in supervisor.statuses() { await supervisor.stop(orphan.id) }
            try ControlChannel.open(Self.control(in: self.directory)) { feed.yield(.restart($0)) }
            let events = supervisor.events()
            group.addTask { for await event in events { feed.yield(.event(event)) } }
            let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
            group.addTask { for await signal in signals { feed.yield(.signal(signal)) } }
            let status = await self.work(supervisor, printer, happenings)
            group.cancelAll()
            while (try? await group.next()) != nil {}
            return status
        }
        try? FileManager.default.removeItem(atPath: Self.stateDirectory(in: self.directory).string)
        return status
    }

    private func work(
        _ supervisor: Supervisor, _ printer: LinePrinter, _ happenings: AsyncStream<Happening>
    ) async -> Int32 {
        for place in self.places {
            do {
                let status = try await supervisor.start(self.spec(place))
                printer.say("\(place.name) started with pid \(status.pid ?? 0)")
            } catch {
                printer.say("\(place.name): \(error)")
                return 1
            }
        }
        var running = Set(self.places.map(\.name))
        var status: Int32 = 0
        for await happening in happenings {
            switch happening {
            case .signal(let signal):
                printer.say("\(signal) received; stopping")
                return 128 + signal.number
            case .outputClosed:
                return 128 + SIGPIPE
            case .restart(let name):
                // Beside this loop: one that takes its grace keeps nobody else waiting.
                for place in self.places where place.name == name || place.name.hasPrefix(name + ".") {
                    printer.say("\(place.name) is restarted")
                    running.insert(place.name)
                    Task { try? await supervisor.restart(InstanceID(place.name)) }
                }
            case .event(let event):
                guard case .exited(let exit, willRestartAfter: nil) = event.kind else { continue }
                printer.say("\(event.id): \(exit)")
                running.remove(event.id.rawValue)
                if status == 0 { status = Self.code(of: exit) }
                if !self.keepsGoing || running.isEmpty { return status }
            }
        }
        return status
    }

    private func spec(_ place: Procfile.Place) -> InstanceSpec {
        var environment = self.environment
        environment["PORT"] = String(place.port)
        environment["PS"] = place.name
        return InstanceSpec(
            id: InstanceID(place.name),
            process: ProcessSpec(
                arguments: ["sh", "-c", place.command], environment: environment, workingDirectory: self.directory),
            restart: .never, stop: self.stop)
    }

    private static func code(of status: ExitStatus) -> Int32 {
        switch status {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        case .outOfMemory: 128 + SIGKILL
        case .unknown: 1
        }
    }
}

extension UnixSignal {
    var number: Int32 {
        switch self {
        case .sigint: SIGINT
        case .sighup: SIGHUP
        default: SIGTERM
        }
    }
}
