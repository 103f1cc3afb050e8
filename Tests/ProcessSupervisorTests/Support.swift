import Logging
import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
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

/// The first event that matches.
func first(
    _ events: AsyncStream<SupervisorEvent>, where matches: (SupervisorEvent.Kind) -> Bool
) async -> SupervisorEvent? {
    for await event in events where matches(event.kind) { return event }
    return nil
}
