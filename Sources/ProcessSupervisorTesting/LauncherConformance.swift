public import ProcessSupervisor
public import SystemPackage

/// The promises of `Launcher` as checks with real processes that misbehave, for those who write their own.
///
/// ```swift
/// @Test(arguments: LauncherConformance.Check.all)
/// func `keeps its promises`(check: LauncherConformance.Check) async throws {
///     try await check.run(LauncherConformance(workspace: freshDirectory) { MyLauncher(…) })
/// }
/// ```
///
/// The processes are shells with the usual small programs. They write to their working directory, the workspace: a launcher
/// that keeps processes from that has to let these, as `SandboxPolicy.treeAccess` does when it is `shared`. Limits are checked as far as the launcher's `enforcements`
/// say that they hold.
public struct LauncherConformance: Sendable {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// What is checked.
        public let description: String
        private let body: @Sendable (LauncherConformance) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (LauncherConformance) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Checks it.
        /// - Throws: ``Violation``, or what the launcher threw where it must not throw.
        public func run(_ conformance: LauncherConformance) async throws { try await self.body(conformance) }
    }

    /// A directory for the processes of the check, fresh for each.
    public let workspace: FilePath
    /// Makes a launcher for the same host, the same for all calls on one value of this type. It is called twice by checks for
    /// what outlives a launcher.
    public let makeLauncher: @Sendable () async throws -> any Launcher

    /// Prepares to check.
    public init(workspace: FilePath, makeLauncher: @escaping @Sendable () async throws -> any Launcher) {
        self.workspace = workspace
        self.makeLauncher = makeLauncher
    }
}

extension LauncherConformance {
    static let path = "/usr/local/bin:/usr/bin:/bin"

    /// A launcher that is ready to be used.
    func launcher() async throws -> any Launcher {
        let launcher = try await self.makeLauncher()
        _ = try launcher.prepare()
        return launcher
    }

    func spec(
        _ arguments: [String], limits: ResourceLimits = ResourceLimits(), startID: String
    ) -> ProcessSpec {
        ProcessSpec(
            arguments: arguments, environment: ["PATH": Self.path, LaunchRequest.markerVariable: startID],
            workingDirectory: self.workspace.string, limits: limits)
    }

    /// The start of a check's instance; a launcher may have made something of that name, so no two are the same.
    func newStartID() -> String { String(UInt64.random(in: 1 << 60 ... .max), radix: 16) }

    /// Runs a shell script, gives it to `body`, and ends whatever is left of it.
    func withShell<R: Sendable>(
        _ script: String, limits: ResourceLimits = ResourceLimits(), startID: String? = nil,
        launcher: any Launcher, _ body: (LaunchedShell) async throws -> R
    ) async throws -> R {
        let startID = startID ?? self.newStartID()
        let spec = self.spec(["sh", "-c", script], limits: limits, startID: startID)
        let shell = try await LaunchedShell(spec, startID: startID, launcher: launcher)
        do {
            let result = try await body(shell)
            await shell.end()
            return result
        } catch {
            await shell.end()
            throw error
        }
    }

    /// What a launcher says about a limit.
    func scope(of limit: LimitEnforcement.Limit, _ launcher: any Launcher) -> LimitEnforcement.Scope {
        launcher.enforcements.first { $0.limit == limit }?.scope ?? .none
    }
}
