public import SystemPackage

/// How far instances are kept from everything else on the machine, and why not further.
public struct Isolation: Sendable, Hashable {
    /// A way to start instances.
    public enum Level: String, Codable, Sendable, Hashable, CaseIterable, Comparable {
        /// Beside everything else, without rights: ``HostLauncher``.
        case host
        /// In a container of its own, made by an OCI runtime: ``OCILauncher``. Never chosen without being asked for: it keeps no
        /// more away than a sandbox, a start costs some ten times as much, and it depends on another program.
        case oci
        /// In a sandbox of its own: ``SandboxLauncher``.
        case sandbox

        /// Whether it may be chosen as the strongest.
        fileprivate var isCandidate: Bool { self != .oci }

        /// Whether one keeps less away than another.
        public static func < (first: Self, second: Self) -> Bool {
            Self.allCases.firstIndex(of: first) ?? 0 < Self.allCases.firstIndex(of: second) ?? 0
        }
    }

    /// What became of trying a level.
    public enum Finding: Sendable, Hashable {
        /// A program was started by it.
        case works
        /// One was, but no tree has a private layer there, for this reason: see ``SandboxPolicy/TreeAccess/privateLayer(bytes:)``.
        case worksReadOnly(String)
        /// None was, for this reason.
        case fails(String)
    }

    /// The level that was chosen.
    public let level: Level
    /// Where the strongest was to be chosen: the stronger ones that do not work here, each with its reason.
    public let unavailable: [Level: String]
    /// Why trees are read-only although instances were to have private layers over them; nil: they are not.
    public let readOnlyReason: String?
    /// Why the level does not work now, though it was chosen because nothing weaker may be; nil: it works. Until it does again,
    /// each start fails, with the reason.
    public let failure: String?

    /// Chooses a level: the wanted one, or the strongest that works.
    ///
    /// - Parameters:
    ///   - wanted: The level to have; nil: the strongest that works, but ``Level/oci``. ``Level/host`` needs no finding.
    ///   - findings: What ``probe(policy:tree:user:runtime:)`` found.
    ///   - least: What is kept away in any case where the strongest is to be chosen, because instances were started so before.
    ///     What made it fail once may pass, and what instances could reach until then they have reached; so it is chosen even if
    ///     it does not work (see ``failure``). A wanted level that is no stronger is, too.
    ///   - readOnlyBefore: Why trees were read-only until now; nil: they were not. Where the level does not work now, trees are as
    ///     they were.
    /// - Throws: `invalidSpec` when the wanted level does not work and is more than what instances had: it is never replaced by a weaker
    ///   one in silence.
    public init(
        _ wanted: Level? = nil, among findings: [Level: Finding], atLeast least: Level = .host,
        readOnlyBefore: String? = nil
    ) throws(SupervisorError) {
        var unavailable: [Level: String] = [:]
        for level in Level.allCases where level != .host {
            switch findings[level] {
            case .works, .worksReadOnly: break
            case .fails(let reason): unavailable[level] = reason
            case nil: unavailable[level] = "it was not tried"
            }
        }
        if let wanted, wanted > least, let reason = unavailable[wanted] {
            throw .invalid("isolation \"\(wanted.rawValue)\" does not work on this machine: \(reason)")
        }
        let strongest = Level.allCases.last { $0.isCandidate && unavailable[$0] == nil } ?? .host
        let chosen = wanted ?? Level.allCases.first { $0.isCandidate && $0 >= max(strongest, least) } ?? strongest
        self.level = chosen
        self.failure = unavailable[chosen]
        self.readOnlyReason =
            switch findings[chosen] {
            case .worksReadOnly(let reason) where chosen != .host: reason
            case .works, .worksReadOnly: nil
            case .fails, nil: unavailable[chosen] == nil ? nil : readOnlyBefore
            }
        self.unavailable = wanted == nil ? unavailable.filter { $0.key.isCandidate && $0.key > chosen } : [:]
    }

    /// Tries each level by starting a program that ends at once. Takes some milliseconds; what has not ended after 10 s does not work.
    ///
    /// - Parameters:
    ///   - policy: What sandboxes and containers will hold.
    ///   - tree: A directory that is where applications' trees will be: whether a layer can be over one depends on the file
    ///     system.
    ///   - user: As whom instances will run; nil: as the host's user.
    ///   - runtime: What will make containers; nil: nothing, and it is not tried.
    public static func probe(
        policy: SandboxPolicy = SandboxPolicy(), tree: FilePath = "/var/lib", user: UserSpec? = nil,
        runtime: OCIRuntime? = nil
    ) async -> [Level: Finding] {
        let process = ProcessSpec(arguments: ["true"], workingDirectory: tree.string, user: user)
        var findings = [
            Level.sandbox: await Self.finding(policy, process) { policy throws(SupervisorError) in
                try SandboxLauncher(policy: policy, adoptsOrphans: false)
            }
        ]
        if let runtime {
            findings[.oci] = await Self.finding(policy, process) { policy throws(SupervisorError) in
                try OCILauncher(runtime: runtime, policy: policy, adoptsOrphans: false)
            }
        }
        return findings
    }

    private static func finding(
        _ policy: SandboxPolicy, _ process: ProcessSpec,
        _ makeLauncher: (SandboxPolicy) throws(SupervisorError) -> any Launcher
    ) async -> Finding {
        let first = await Self.finding(process) { () throws(SupervisorError) in try makeLauncher(policy) }
        guard case .fails(let reason) = first, case .privateLayer = policy.treeAccess else { return first }
        let second = await Self.finding(process) { () throws(SupervisorError) in try makeLauncher(policy.readOnly) }
        return second == .works ? .worksReadOnly(reason) : first
    }

    private static func finding(
        _ process: ProcessSpec, _ makeLauncher: () throws(SupervisorError) -> any Launcher
    ) async -> Finding {
        do throws(SupervisorError) {
            return await Self.finding(process, try makeLauncher(), within: .seconds(10))
        } catch {
            return .fails(error.message)
        }
    }

    /// - Parameter limit: How long it may take. A launch that hangs is left to itself then: nothing could end it.
    static func finding(_ process: ProcessSpec, _ launcher: any Launcher, within limit: Duration) async -> Finding {
        let (findings, feed) = AsyncStream<Finding>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let probe = Task { feed.yield(await Self.probe(process, launcher)) }
        let timer = Task {
            try await Task.sleep(for: limit)
            feed.yield(.fails("a program that does nothing has not ended within \(limit)"))
            probe.cancel()
        }
        defer { timer.cancel() }
        for await finding in findings { return finding }
        // Whoever asks was cancelled.
        probe.cancel()
        return .fails("it was not tried to the end")
    }

    private static func probe(_ process: ProcessSpec, _ launcher: any Launcher) async -> Finding {
        do throws(SupervisorError) {
            let mark = "probe\(UInt64.random(in: .min ... .max))"
            var process = process
            process.environment[LaunchRequest.markerVariable] = mark
            let launched = try await launcher.launch(
                LaunchRequest(id: "isolation-probe", startID: mark, process: process, output: .discard))
            let handle = launched.handle
            let status = await withTaskCancellationHandler {
                await handle.waitForExit()
            } onCancel: {
                Task { await handle.killTree() }
            }
            await handle.killTree()
            handle.release()
            await launcher.sweep()
            return status == .exited(0) ? .works : .fails("a program that does nothing ended as: \(status)")
        } catch {
            return .fails(error.message)
        }
    }

    /// The launcher of the level.
    ///
    /// - Parameters:
    ///   - policy: What sandboxes and containers hold.
    ///   - runtime: What makes containers, which ``Level/oci`` takes.
    ///   - groups: What limits, counts and ends instances as a whole.
    /// - Throws: `invalidSpec` when nothing could be made of the policy, or a runtime is needed and not given.
    public func launcher(
        policy: SandboxPolicy = SandboxPolicy(), runtime: OCIRuntime? = nil, groups: ControlGroups? = nil
    ) throws(SupervisorError) -> any Launcher {
        let policy = self.readOnlyReason == nil ? policy : policy.readOnly
        return switch self.level {
        case .host where policy.network != .shared:
            throw .invalid(
                (["networks of instances' own take the isolation \"sandbox\" or \"oci\""] + self.reasons)
                    .joined(separator: "; "))
        case .host: HostLauncher(groups: groups)
        case .oci:
            if let runtime {
                try OCILauncher(runtime: runtime, policy: policy, groups: groups)
            } else {
                throw SupervisorError.invalid("isolation \"oci\" takes a runtime")
            }
        case .sandbox: try SandboxLauncher(policy: policy, groups: groups)
        }
    }
}

extension Isolation: CustomStringConvertible {
    /// What was chosen, and what was not to be had: for the log.
    public var description: String {
        let what =
            switch self.level {
            case .host: "instances run beside everything else on this machine (isolation: host)"
            case .oci: "each instance runs in a container of its own, made by an OCI runtime (isolation: oci)"
            case .sandbox: "each instance runs in a sandbox of its own (isolation: sandbox)"
            }
        let layer = self.readOnlyReason.map { "its application's tree is read-only: \($0)" }
        let failure = self.failure.map { "which does not work now, so that nothing can be started: \($0)" }
        return ([what] + [failure, layer].compactMap(\.self) + self.reasons).joined(separator: "; ")
    }

    private var reasons: [String] {
        self.unavailable.sorted { $0.key > $1.key }.map { "\($0.key.rawValue) does not work: \($0.value)" }
    }
}
