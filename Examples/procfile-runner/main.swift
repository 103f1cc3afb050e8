// Runs the process types of a Procfile side by side, as foreman does: procfile-runner [DIRECTORY]
import Foundation
import Logging
import ProcessSupervisor
import ServiceLifecycle
import Synchronization
import SystemPackage
import UnixSignals

/// Prints each line behind its process type's name, in a colour of its own on terminals.
struct Prefixer: OutputHandler {
    let width: Int
    let isTerminal = isatty(1) == 1
    private static let gate = Mutex(())

    func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        let name = (labels["type"] ?? "").padding(toLength: self.width, withPad: " ", startingAt: 0)
        let prefix = self.isTerminal ? "\u{1b}[\(labels["colour"] ?? "0")m\(name) |\u{1b}[0m" : "\(name) |"
        let text = lines.map { "\(prefix) \($0.text)\n" }.joined()
        Self.gate.withLock { _ in FileHandle.standardOutput.write(Data(text.utf8)) }
    }
}

/// `NAME: command` lines of a Procfile, or `NAME=value` lines of an environment file.
func pairs(in text: String, separator: Character) -> [(name: String, value: String)] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
        let parts = line.split(separator: separator, maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        guard parts.count == 2, !parts[0].hasPrefix("#"), !parts[0].isEmpty else { return nil }
        let isQuoted = separator == "=" && parts[1].count > 1 && parts[1].first == "\"" && parts[1].last == "\""
        return (parts[0], isQuoted ? String(parts[1].dropFirst().dropLast()) : parts[1])
    }
}

func exitCode(_ status: ExitStatus) -> Int32 {
    switch status {
    case .exited(let code): code
    case .signalled(let signal): 128 + signal
    case .outOfMemory: 128 + 9
    case .unknown: 1
    }
}

let directory = URL(filePath: CommandLine.arguments.dropFirst().first ?? ".").standardizedFileURL
guard let procfile = try? String(contentsOf: directory.appending(path: "Procfile"), encoding: .utf8) else {
    FileHandle.standardError.write(Data("procfile-runner: no Procfile in \(directory.path)\n".utf8))
    exit(66)
}
let types = pairs(in: procfile, separator: ":")
let dotEnv = (try? String(contentsOf: directory.appending(path: ".env"), encoding: .utf8)) ?? ""
let settings = ProcessInfo.processInfo.environment
    .merging(pairs(in: dotEnv, separator: "=").map { ($0.name, $0.value) }) { $1 }

/// Starts every process type; the end of the first is the end of all.
final class Formation: Service {
    let firstEnd = Mutex<ExitStatus?>(nil)

    func run() async throws {
        let events = supervisor.events()
        for (index, type) in types.enumerated() {
            var environment = settings
            environment["PORT"] = String(5000 + 100 * index)
            _ = try await supervisor.start(
                InstanceSpec(
                    id: InstanceID(type.name),
                    process: ProcessSpec(
                        arguments: ["sh", "-c", type.value], environment: environment, workingDirectory: directory.path),
                    labels: ["type": type.name, "colour": String(31 + index % 6)],
                    restart: .never, stop: StopPolicy(grace: .seconds(10))))
        }
        for await event in events.cancelOnGracefulShutdown() {
            if case .exited(let status, _) = event.kind {
                FileHandle.standardError.write(Data("\(event.id): \(status)\n".utf8))
                return self.firstEnd.withLock { $0 = status }
            }
        }
    }
}

let state = FileManager.default.temporaryDirectory.appending(path: "procfile-runner-\(UUID().uuidString)")
let logger = Logger(label: "procfile-runner") { _ in SwiftLogNoOpLogHandler() }
let supervisor = Supervisor(
    configuration: .init(stateDirectory: FilePath(state.path)),
    // A developer's own programs, with the developer's own rights.
    launcher: HostLauncher(configuration: .init(dropsCapabilities: false)),
    output: Prefixer(width: types.map(\.name.count).max() ?? 0), logger: logger)
let formation = Formation()
try await ServiceGroup(
    configuration: .init(
        services: [
            .init(service: supervisor),
            .init(service: formation, successTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
).run()
try? FileManager.default.removeItem(at: state)
exit(formation.firstEnd.withLock { $0 }.map(exitCode) ?? 0)
