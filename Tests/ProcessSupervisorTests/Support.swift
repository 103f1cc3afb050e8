import CProcessLauncher
import Logging
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Swift Testing has a type of that name, too.
typealias ExitStatus = ProcessSupervisor.ExitStatus

/// Runs `body` beside a supervisor, which is ended when it returns.
func withSupervisor<R: Sendable>(
    in directory: FilePath,
    launcher: any Launcher = HostLauncher(),
    output: any OutputHandler = DiscardingOutputHandler(),
    clock: any Clock<Duration> = ContinuousClock(),
    onShutdown: Supervisor.Configuration.ShutdownBehaviour = .stopAll,
    configure: (inout Supervisor.Configuration) -> Void = { _ in },
    _ body: (Supervisor) async throws -> R
) async throws -> R {
    var configuration = Supervisor.Configuration(stateDirectory: directory.appending("state"), onShutdown: onShutdown)
    configure(&configuration)
    let supervisor = Supervisor(
        configuration: configuration, launcher: launcher, output: output, clock: clock,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let run = Task { try await supervisor.run() }
    do {
        try await supervisor.waitUntilAdopted()
        let result = try await body(supervisor)
        run.cancel()
        try await run.value
        return result
    } catch {
        run.cancel()
        _ = try? await run.value
        throw error
    }
}

extension InstanceSpec {
    /// An instance that runs a shell script, and is not restarted unless told so.
    static func shell(
        _ id: InstanceID, _ script: String, in directory: FilePath, port: PortRequest? = nil, readiness: Probe? = nil,
        bootTimeout: Duration = .seconds(30), restart: RestartPolicy = .never,
        grace: Duration = .seconds(20)
    ) -> InstanceSpec {
        InstanceSpec(
            id: id, process: .shell(script, in: directory), port: port, readiness: readiness, bootTimeout: bootTimeout,
            restart: restart, stop: StopPolicy(grace: grace))
    }
}

extension ProcessSpec {
    static func shell(_ script: String, in directory: FilePath) -> ProcessSpec {
        ProcessSpec(
            arguments: ["sh", "-c", script], environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"],
            workingDirectory: directory.string)
    }
}

/// Whether a process exists and has not ended.
func isAlive(_ pid: Int32?) -> Bool {
    guard let pid, let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
    else { return false }
    return !text[end...].dropFirst(2).hasPrefix("Z")
}

/// Returns when a process has ended, whoever waits for it.
func waitForEnd(of pid: Int32) async {
    let descriptor = slipway_pidfd_open(pid)
    if descriptor >= 0 { await Descriptor(owning: descriptor).wait(for: .readable) }
}

/// A FIFO by which a test and a script tell each other that they have come so far.
struct NamedPipe {
    private let descriptor: Descriptor

    init(_ path: FilePath) throws {
        try #require(mkfifo(path.string, 0o600) == 0)
        // For both directions: neither side waits for the other to open it.
        self.descriptor = Descriptor(
            owning: try FileDescriptor.open(path, .readWrite, options: [.nonBlocking, .closeOnExec]).rawValue)
    }

    /// Says a line, which `read` waits for.
    func say() throws { _ = try self.descriptor.file.writeAll("\n".utf8) }

    /// Returns when somebody has said something.
    func heard() async { await self.descriptor.wait(for: .readable) }
}

/// The first event that matches.
func first(
    _ events: AsyncStream<SupervisorEvent>, where matches: (SupervisorEvent.Kind) -> Bool
) async -> SupervisorEvent? {
    for await event in events where matches(event.kind) { return event }
    return nil
}
