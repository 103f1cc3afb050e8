import BuildpackKit
import BuildpackKitTesting
import Foundation
import SystemPackage

/// A built application that is run as a runtime would: moved, with another `HOME`, by the launch command.
struct RunningApplication {
    let home: FilePath
    var port = 0
    var task: Task<Void, Never>?

    init(home: FilePath) { self.home = home }

    /// Moves what the workspace built and starts `command` there; returns when it answers.
    static func start(_ workspace: Workspace, command: String) async throws -> RunningApplication {
        let moved = workspace.root.appending("running-\(UUID().uuidString.prefix(8))")
        try FileManager.default.moveItem(atPath: workspace.source.string, toPath: moved.string)
        var application = RunningApplication(home: moved)
        application.port = try Self.freePort()
        let build = application.command(command)
        application.task = Task { _ = try? await Tools.sandbox.run(build) { _ in } }
        _ = try await application.curl("--retry", "60", "--retry-delay", "1", "--retry-connrefused", "/")
        return application
    }

    /// Runs a command to its end.
    func run(_ command: String) async throws -> [String] {
        let log = RecordingBuildLog()
        _ = try await Tools.sandbox.run(self.command(command)) { await log.write($0) }
        return log.lines
    }

    /// What the application answers; the last argument that starts with a slash is the path.
    func curl(_ arguments: String...) async throws -> [String] {
        let words = arguments.map { $0.hasPrefix("/") ? "http://127.0.0.1:\(self.port)\($0)" : $0 }
        let log = RecordingBuildLog()
        let exit = try await Tools.sandbox.run(
            BuildCommand(
                executable: "curl", arguments: ["-sS", "--max-time", "50"] + words,
                environment: ["PATH": Tools.searchPath, "no_proxy": "*"], workingDirectory: "/")
        ) { await log.write($0) }
        if !exit.isSuccess { throw BuildError(.commandFailed, "curl: \(exit)", tail: log.lines) }
        return log.lines
    }

    /// Stops it, as a cancelled command.
    func stop() async {
        self.task?.cancel()
        await self.task?.value
    }

    private func command(_ command: String) -> BuildCommand {
        let words = LaunchCommand.arguments(for: command)
        return BuildCommand(
            executable: words[0], arguments: Array(words.dropFirst()),
            environment: ["PATH": Tools.searchPath, "HOME": self.home.string, "PORT": String(self.port)],
            workingDirectory: self.home)
    }

    /// A port that was free a moment ago: the applications take a number, and cannot be asked for the one they got.
    private static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw Errno(rawValue: errno) }
        return Int(address.sin_port.bigEndian)
    }
}
