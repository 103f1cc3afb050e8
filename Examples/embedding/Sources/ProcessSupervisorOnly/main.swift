import Logging
import ProcessSupervisor
import SystemPackage

/// Prints what an instance says.
struct Printer: OutputHandler {
    func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        for line in lines { print(id, line.text) }
    }
}

let supervisor = Supervisor(
    configuration: .init(stateDirectory: FilePath(CommandLine.arguments.dropFirst().first ?? "instances")),
    launcher: HostLauncher(), output: Printer(), logger: Logger(label: "supervisor"))
try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await supervisor.run() }
    let process = ProcessSpec(
        arguments: ["sh", "-c", "echo hello"], environment: ["PATH": "/usr/bin:/bin"], workingDirectory: "/")
    let exit = try await supervisor.runOneOff(process, id: "hello") { bytes in
        print(String(decoding: bytes, as: UTF8.self), terminator: "")
    }
    print(exit)
    group.cancelAll()
}
