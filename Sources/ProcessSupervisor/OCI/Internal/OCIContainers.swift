import CProcessLauncher
import Synchronization
import SystemPackage

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

/// The containers of one launcher, each named by its start, and the calls of the runtime.
final class OCIContainers: Sendable {
    private let runtime: OCIRuntime
    private let clock: any Clock<Duration>
    private let host: HostFiles
    /// Starts the runtime itself, with the host's rights.
    private let launcher = HostLauncher(
        configuration: .init(adoptsOrphans: false, noNewPrivileges: false, dropsCapabilities: false))
    /// Containers whose instances have ended.
    private let unremoved = Mutex<Set<String>>([])

    init(_ runtime: OCIRuntime, clock: any Clock<Duration>, host: HostFiles = .real) {
        self.runtime = runtime
        self.clock = clock
        self.host = host
    }

    private var bundles: FilePath { self.runtime.directory.appending("bundles") }
    private func bundle(of startID: String) -> FilePath { self.bundles.appending(startID) }

    /// Makes a container in which nobody is but its first process. Throws `launchFailed`, and then nothing of it is left.
    ///
    /// - Parameter network: The namespace that it is made in; nil: the host's.
    func make(
        for startID: String, _ plan: SandboxPlan, owner: UserSpec, network: Descriptor? = nil
    ) async throws(SupervisorError) -> HeldProcess {
        guard geteuid() == 0 || owner.uid == 0 else {
            throw Self.failure(
                "as user \(owner.uid): Operation not permitted (a host that is not root cannot give instances users)")
        }
        let directory = self.bundle(of: startID)
        do throws(SupervisorError) {
            var bundle = OCIBundle(plan, startID: startID, user: owner, host: self.host)
            if geteuid() != 0 { bundle.makeUserNamespace(user: geteuid(), group: getegid()) }
            if let network { bundle.goIntoNetwork("/proc/\(getpid())/fd/\(network.rawValue)") }
            try bundle.write(to: directory)
            defer { withExtendedLifetime(network) {} }
            let number = directory.appending("pid")
            try await self.call(
                ["run", "--detach", "--pid-file", number.string, "--bundle", directory.string, startID],
                about: startID, log: directory.appending("log"))
            guard let pid = GroupFiles.read(number.string).flatMap({ Int32($0) }) else {
                throw Self.failure("\(self.runtime.program) wrote no process number to \(number)")
            }
            let pidfd = slipway_pidfd_open(pid)
            guard pidfd >= 0 else { throw Self.failure("the first process of a container: \(describe(errno: errno))") }
            return HeldProcess(child: pid, pidfd: Descriptor(owning: pidfd))
        } catch {
            await self.end(startID)
            throw error
        }
    }

    /// Ends a container, whoever is in it, and removes it.
    func end(_ startID: String) async {
        let directory = self.bundle(of: startID)
        guard GroupFiles.exists(directory.string) else { return }
        let log = directory.appending("log")
        // Without an error for one that there is not. Where it fails, the next host tries again.
        guard (try? await self.call(["delete", "--force", startID], about: startID, log: log)) != nil else { return }
        try? await blocking { try? FileManager.default.removeItem(atPath: directory.string) }
    }

    /// Removes a container at the next sweep, which takes a call of the runtime.
    func removeLater(_ startID: String) {
        guard GroupFiles.exists(self.bundle(of: startID).string) else { return }
        self.unremoved.withLock { _ = $0.insert(startID) }
    }

    func sweep() async {
        for startID in self.unremoved.withLock({ $0 }) {
            await self.end(startID)
            self.unremoved.withLock { _ = $0.remove(startID) }
        }
    }

    /// The starts that have a container, or something that is left of one.
    func startIDs() -> Set<String> {
        Set(GroupFiles.directories(in: self.bundles.string)).subtracting(self.unremoved.withLock { $0 })
    }

    private static func failure(_ what: String) -> SupervisorError {
        SupervisorError(code: .launchFailed, message: "cannot make a container: \(what)")
    }

    /// Not cancellable: a container that is made by halves is nobody's.
    private func call(_ arguments: [String], about startID: String, log: FilePath) async throws(SupervisorError) {
        let runtime = self.runtime
        let options = ["--root", runtime.directory.appending("state").string, "--log", log.string]
        let process = ProcessSpec(
            arguments: [runtime.program] + options + arguments,
            environment: ["PATH": ExecutableSearch.defaultPath], workingDirectory: "/")
        // It has the brand that the container's first process is to have, for without rights a limit can only sink.
        let mark = ProcessTree.sandboxMark(of: startID)
        let launched = try await self.launcher.launch(
            LaunchRequest(id: "oci-runtime", startID: mark, process: process, output: .discard))
        let clock = self.clock
        let status = await Task {
            await withTaskGroup(of: ExitStatus?.self) { group in
                group.addTask { await launched.handle.waitForExit() }
                group.addTask {
                    try? await clock.sleep(for: runtime.timeout)
                    return nil
                }
                let first = await group.next() ?? nil
                group.cancelAll()
                return first
            }
        }.value
        if status == nil { await launched.handle.killTree() }
        launched.handle.release()
        switch status {
        case .exited(0): return
        case nil: throw Self.failure("\(runtime.program) has not ended within \(runtime.timeout), and was killed")
        case let status?:
            let lines = (GroupFiles.read(log.string) ?? "").split(separator: "\n")
            throw Self.failure("\(runtime.program) ended as \(status): \(lines.last ?? "it said nothing")")
        }
    }
}
