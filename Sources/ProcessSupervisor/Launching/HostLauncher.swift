import CProcessLauncher
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Starts processes plainly on this host: a session of their own, resource limits, a user, no new privileges.
public struct HostLauncher: Launcher {
    private let adoptsOrphans: Bool
    private let noNewPrivileges: Bool
    private let registry = OrphanRegistry()

    /// Makes a launcher.
    ///
    /// - Parameters:
    ///   - adoptsOrphans: Makes the whole host process a *subreaper*, so that a daemonised descendant of an instance
    ///     becomes its child and is collected here. Children that other code waits for are left alone.
    ///   - noNewPrivileges: Keeps instances from gaining rights by set-user-id programs.
    public init(adoptsOrphans: Bool = true, noNewPrivileges: Bool = true) {
        self.adoptsOrphans = adoptsOrphans
        self.noNewPrivileges = noNewPrivileges
    }

    /// Becomes a subreaper, if asked to.
    public func prepare() throws(SupervisorError) {
        guard self.adoptsOrphans else { return }
        let error = slipway_become_subreaper()
        guard error == 0 else {
            throw SupervisorError(
                code: .launchFailed, message: "cannot become a subreaper: \(describe(errno: error))")
        }
    }

    /// Every ten seconds, as a subreaper.
    public var sweepInterval: Duration? { self.adoptsOrphans ? .seconds(10) : nil }

    /// Collects ended orphans of instances.
    public func sweep() async { self.registry.sweep() }

    /// Starts a process. Throws `launchFailed` with the system's reason.
    public func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess {
        let process = request.process
        guard let name = process.arguments.first, !name.isEmpty else {
            throw SupervisorError(code: .launchFailed, message: "cannot execute: the list of arguments is empty")
        }
        let path = try ExecutableSearch.find(name, for: process)
        let output = try Self.open(request.output, for: process.user)
        let input: Descriptor? = request.input == nil ? try Self.open("/dev/null", O_RDONLY) : nil
        let result = Self.spawn(
            path, process, brand: ProcessTree.brand(of: request.startID),
            input: request.input?.rawValue ?? input?.rawValue ?? -1, output: output,
            noNewPrivileges: self.noNewPrivileges)
        // A descriptor is closed with its owner, and a number alone does not keep that alive.
        withExtendedLifetime((input, output.owner)) {}
        guard result.error == 0 else { throw Self.failure(result, name: name, process: process) }

        let pidfd = Descriptor(owning: result.pidfd)
        // The child is not reaped before it is released, so its line in /proc is there even if it has ended.
        let startTime = Procfs.process(result.pid)?.startTime ?? 0
        let tree = ProcessTree(leader: result.pid, leaderStart: startTime, startID: request.startID)
        return LaunchedProcess(
            pid: result.pid, startTime: startTime,
            handle: HostProcess(tree: tree, pidfd: pidfd, registry: self.registry))
    }

    /// Takes over a recorded process by pidfd and start time; without a number, by its mark.
    public func adopt(_ record: InstanceRecord) async throws(SupervisorError) -> LaunchedProcess? {
        guard record.bootID == Procfs.bootID() else { return nil }
        var leader: ProcessEntry?
        if let pid = record.pid, let startTime = record.startTime {
            leader = Procfs.process(pid).flatMap { $0.startTime == startTime && !$0.hasEnded ? $0 : nil }
        } else {
            leader = ProcessTree.leader(in: Procfs.processes()) {
                ProcessTree.process($0, isMarkedFor: record.startID, exactly: true)
            }
        }
        if let leader, let pidfd = Self.hold(leader) {
            let tree = ProcessTree(leader: leader.pid, leaderStart: leader.startTime, startID: record.startID)
            return LaunchedProcess(
                pid: leader.pid, startTime: leader.startTime,
                handle: HostProcess(tree: tree, pidfd: pidfd, registry: self.registry))
        }
        // Nobody has watched the number meanwhile, so only the mark is trusted.
        let rest = ProcessTree(leader: -1, leaderStart: 0, startID: record.startID)
        while true {
            let living = HeldProcess.living(in: rest)
            if living.isEmpty { return nil }
            for process in living { process.signal(SIGKILL) }
            for process in living { await process.waitForEnd() }
            if Task.isCancelled { throw SupervisorError(code: .cancelled, message: "the adoption was cancelled") }
        }
    }

    private static func hold(_ entry: ProcessEntry) -> Descriptor? {
        let descriptor = slipway_pidfd_open(entry.pid)
        guard descriptor >= 0 else { return nil }
        let pidfd = Descriptor(owning: descriptor)
        return Procfs.process(entry.pid)?.startTime == entry.startTime ? pidfd : nil
    }
}

extension HostLauncher {
    private static func open(_ path: String, _ mode: Int32) throws(SupervisorError) -> Descriptor {
        let descriptor = path.withCString { openDescriptor($0, mode | O_CLOEXEC) }
        guard descriptor >= 0 else {
            throw SupervisorError(code: .launchFailed, message: "cannot open \(path): \(describe(errno: errno))")
        }
        return Descriptor(owning: descriptor)
    }

    private static func openDescriptor(_ path: UnsafePointer<CChar>, _ mode: Int32) -> Int32 {
        #if canImport(Musl)
            Musl.open(path, mode)
        #else
            Glibc.open(path, mode)
        #endif
    }

    private static func open(
        _ output: LaunchRequest.Output, for user: UserSpec?
    ) throws(SupervisorError) -> OutputDescriptor {
        switch output {
        case .descriptor(let file):
            return OutputDescriptor(rawValue: file.rawValue, owner: nil)
        case .discard:
            let descriptor = try Self.open("/dev/null", O_WRONLY)
            return OutputDescriptor(rawValue: descriptor.rawValue, owner: descriptor)
        case .fifo(let path):
            // For reading and writing: then the instance is itself the reader that keeps SIGPIPE away.
            let descriptor = try Self.open(path.string, O_RDWR)
            _ = slipway_grow_pipe(descriptor.rawValue, 1 << 20)
            // Programs open /dev/stdout by name, which asks for the right to the FIFO.
            if let user { _ = fchown(descriptor.rawValue, user.uid, user.gid) }
            return OutputDescriptor(rawValue: descriptor.rawValue, owner: descriptor)
        }
    }

    private struct OutputDescriptor {
        var rawValue: Int32
        var owner: Descriptor?
    }

    private static func spawn(
        _ path: String, _ process: ProcessSpec, brand: UInt64, input: Int32, output: OutputDescriptor,
        noNewPrivileges: Bool
    ) -> slipway_spawn_result {
        var limits = process.limits.rlimits(hasUser: process.user != nil)
        limits.append(slipway_limit(resource: slipway_limit_resident, value: brand))
        let environment = process.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return withCStrings(process.arguments) { arguments in
            withCStrings(environment) { environment in
                path.withCString { path in
                    process.workingDirectory.withCString { directory in
                        limits.withUnsafeBufferPointer { limits in
                            var options = slipway_spawn_options()
                            options.path = path
                            options.argv = arguments
                            options.envp = environment
                            options.directory = directory
                            options.input = input
                            options.output = output.rawValue
                            options.change_user = process.user == nil ? 0 : 1
                            options.uid = process.user?.uid ?? 0
                            options.gid = process.user?.gid ?? 0
                            options.no_new_privileges = noNewPrivileges ? 1 : 0
                            options.limits = limits.baseAddress
                            options.limit_count = limits.count
                            return slipway_spawn(&options)
                        }
                    }
                }
            }
        }
    }

    private static func failure(
        _ result: slipway_spawn_result, name: String, process: ProcessSpec
    ) -> SupervisorError {
        let reason = describe(errno: result.error)
        let message =
            switch UInt32(result.step) {
            case SLIPWAY_STEP_EXECUTE.rawValue where result.error == ENOEXEC:
                "cannot execute \(name): \(reason) (a script needs a first line such as #!/bin/sh)"
            case SLIPWAY_STEP_EXECUTE.rawValue where result.error == ENOENT:
                "cannot execute \(name): \(reason) (the file, or the interpreter in its first line)"
            case SLIPWAY_STEP_EXECUTE.rawValue: "cannot execute \(name): \(reason)"
            case SLIPWAY_STEP_DIRECTORY.rawValue:
                "cannot execute \(name): no way into the working directory \(process.workingDirectory): \(reason)"
            case SLIPWAY_STEP_USER.rawValue:
                "cannot execute \(name) as user \(process.user?.uid ?? 0): \(reason) (the host needs the right to)"
            case SLIPWAY_STEP_LIMIT.rawValue: "cannot execute \(name): setting its limits failed: \(reason)"
            default: "cannot execute \(name): starting a process failed: \(reason)"
            }
        return SupervisorError(code: .launchFailed, message: message, cause: Errno(rawValue: result.error))
    }
}

extension ResourceLimits {
    func rlimits(hasUser: Bool) -> [slipway_limit] {
        var limits = [slipway_limit(resource: slipway_limit_core, value: 0)]
        if let memoryBytes { limits.append(Self.limit(slipway_limit_data, memoryBytes)) }
        if let maxOpenFiles { limits.append(Self.limit(slipway_limit_files, maxOpenFiles)) }
        if let maxProcesses, hasUser { limits.append(Self.limit(slipway_limit_processes, maxProcesses)) }
        return limits
    }

    private static func limit(_ resource: Int32, _ value: Int) -> slipway_limit {
        slipway_limit(resource: resource, value: UInt64(max(value, 0)))
    }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    // One block for all: an array of copies that are freed with it.
    var offsets: [Int] = []
    var bytes: [CChar] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes += string.utf8CString
    }
    return bytes.withUnsafeMutableBufferPointer { bytes in
        var pointers: [UnsafeMutablePointer<CChar>?] = offsets.map { offset in bytes.baseAddress.map { $0 + offset } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { pointers in
            guard let base = pointers.baseAddress else { preconditionFailure("an array with an element has a base") }
            return body(base)
        }
    }
}
