import CProcessLauncher
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The sandboxes of one launcher: what they hold, and whose there are.
final class Sandbox: Sendable {
    let policy: SandboxPolicy
    /// What makes them; nil: this package's own code, together with the first process.
    private let containers: OCIContainers?
    /// What makes networks; nil: they share the host's.
    private let networks: Networks?
    private let host: HostFiles
    /// Without rights, namespaces are made in a user namespace, in which there is but the host's own user.
    private let hasUserNamespace: Bool
    /// The main processes, whose sandboxes others may be started in.
    private let members = Mutex<[String: Descriptor]>([:])
    /// Those of them that are in no sandbox.
    private let outsiders = Mutex<Set<String>>([])

    init(policy: SandboxPolicy, containers: OCIContainers? = nil, host: HostFiles = .real) {
        self.policy = policy
        self.containers = containers
        if case .own(let network) = policy.network { self.networks = Networks(network) } else { self.networks = nil }
        self.host = host
        self.hasUserNamespace = geteuid() != 0
    }

    func add(_ startID: String, _ pidfd: Descriptor, pid: Int32) {
        guard !startID.contains(".") else { return }
        self.members.withLock { $0[startID] = pidfd }
        // A former host had started it without: into what is no sandbox, nobody can be put.
        if Procfs.shares("pid", with: pid) { self.outsiders.withLock { _ = $0.insert(startID) } }
    }

    func remove(_ startID: String) {
        self.members.withLock { $0[startID] = nil }
        self.outsiders.withLock { _ = $0.remove(startID) }
        if !startID.contains(".") { self.containers?.removeLater(startID) }
    }

    /// Where a process is to be: a sandbox of its own, or, for what is started on behalf of an instance, that one's; `nil` if
    /// that one is in none.
    func place(for request: LaunchRequest) throws(SupervisorError) -> Place? {
        if request.isBesideAnother, self.outsiders.withLock({ $0.contains(request.instanceStartID) }) { return nil }
        var joined: Descriptor?
        if request.isBesideAnother {
            joined = self.members.withLock { $0[request.instanceStartID] }
            if joined == nil {
                throw SupervisorError(
                    code: .launchFailed,
                    message:
                        "cannot execute \(request.process.arguments.first ?? ""): its instance has no sandbox any more")
            }
        }
        let owner = request.process.user ?? self.ownUser
        let terminal =
            request.hasTerminal
            ? request.input.map { self.host.resolve(FilePath("/proc/self/fd/\($0.rawValue)")) } : nil
        let plan = SandboxPlan(
            self.policy, for: request.process, owner: owner,
            terminal: terminal.flatMap { $0.starts(with: "/dev/pts") ? $0 : nil }, host: self.host)
        if joined == nil, let tree = plan.tree, let gap = TreePrograms.gap(in: tree, shows: plan.shows) {
            throw SupervisorError(
                code: .launchFailed,
                message: """
                    cannot execute \(request.process.arguments.first ?? ""): \(gap.program) leads to \(gap.path), which is not \
                    shown in its sandbox; show \(gap.root) there (SandboxPolicy.binds; slipway serve --show \(gap.root)), or \
                    build the application with what is
                    """)
        }
        return Place(
            plan: plan, startID: request.startID, owner: owner, joined: joined, hasUserNamespace: self.hasUserNamespace,
            isRenamed: self.containers != nil && self.hasUserNamespace)
    }

    /// The host's user as it is called where file systems are made: a runtime without rights wants it to be root there.
    private var ownUser: UserSpec {
        self.containers != nil && self.hasUserNamespace
            ? UserSpec(uid: 0, gid: 0) : UserSpec(uid: geteuid(), gid: getegid())
    }

    /// Whether each instance has an address of its own.
    var givesAddresses: Bool { self.networks != nil }

    /// Called once, before anything is made. Throws `launchFailed`.
    func prepare() throws(SupervisorError) -> [String] { try self.networks?.prepare() ?? [] }

    /// Makes the network, and the container where that is another's to do. Throws `launchFailed`.
    func open(_ place: Place) async throws(SupervisorError) -> Place {
        guard place.joined == nil else { return place }
        var place = place
        if let networks {
            let made = try await blocking { () throws(SupervisorError) in try networks.make() }
            place.network = made.network
            place.namespace = made.namespace
        }
        guard let containers else { return place }
        do throws(SupervisorError) {
            let container = try await containers.make(
                for: place.startID, place.plan, owner: place.owner, network: place.namespace)
            place.container = container
            place.joined = container.pidfd
        } catch {
            place.network?.retire()
            throw error
        }
        return place
    }

    /// Ends a container in which nothing could be started, and its network.
    func discard(_ place: Place) async {
        if place.container != nil { await self.containers?.end(place.startID) }
        place.network?.retire()
    }
}

/// A sandbox that there is.
struct HeldSandbox: Sendable {
    /// Who starts others in it; nil: nobody does.
    let owner: Sandbox?
    /// With its end everything in the sandbox ends. Nil: the sandbox is another's, or there is none.
    let initProcess: HeldProcess?

    /// The sandbox that a start has made; what was started in another's has none to end.
    init(owner: Sandbox?, started result: slipway_spawn_result, in place: Sandbox.Place?) {
        self.owner = owner
        self.initProcess =
            result.init_pid > 0
            ? HeldProcess(child: result.init_pid, pidfd: Descriptor(owning: result.init_pidfd)) : place?.container
    }

    /// The sandbox that a former host has made, by the brand of its first process.
    ///
    /// - Parameters:
    ///   - owner: Who may start others in it.
    ///   - startID: Whose it is.
    ///   - pid: The instance, which was born just after it; nil when there is none any more.
    init(owner: Sandbox?, of startID: String, near pid: Int32?) {
        self.owner = owner
        let brand = ProcessTree.brand(ofSandbox: startID)
        func find(_ processes: some Sequence<ProcessEntry>) -> HeldProcess? {
            processes.first { $0.residentLimit == brand && !$0.hasEnded }.flatMap { HeldProcess($0) }
        }
        if let pid {
            // Of a host that had no sandboxes there is none to be looked for.
            if Procfs.shares("pid", with: pid) {
                self.initProcess = nil
                return
            }
            if let neighbour = find((max(1, pid - 8)..<pid).lazy.compactMap { Procfs.process($0) }) {
                self.initProcess = neighbour
                return
            }
        }
        self.initProcess = find(Procfs.processes())
    }
}

extension Sandbox {
    /// Where one process is to be.
    struct Place: Sendable {
        let plan: SandboxPlan
        let startID: String
        /// Whose the home is.
        let owner: UserSpec
        fileprivate(set) var joined: Descriptor?
        /// The first process of a container that was made for it.
        fileprivate(set) var container: HeldProcess?
        /// The network that was made for it, and what it goes there by.
        fileprivate(set) var network: HeldNetwork?
        fileprivate(set) var namespace: Descriptor?
        let hasUserNamespace: Bool
        /// Whether the host's user is another there, and is to be itself again.
        let isRenamed: Bool

        func shows(_ path: FilePath) -> Bool { self.plan.shows(path) }

        /// Calls `body` with all of it as C has it.
        func withOptions<R>(_ body: (UnsafePointer<slipway_sandbox>) -> R) -> R {
            let maps = [
                "\(geteuid()) \(geteuid()) 1", "\(getegid()) \(getegid()) 1", "\(geteuid()) 0 1", "\(getegid()) 0 1",
            ]
            let added = self.joined == nil ? self.plan.mounts : self.container == nil ? [] : self.plan.additions
            // A container shows a tree where it is to be, read-only; the layer comes over that.
            let strings =
                maps + added.flatMap { [self.joined == nil ? $0.cSource : $0.target, $0.target, $0.data] }
            return withCStrings(strings) { strings in
                withCStrings(["slipway-sandbox", self.startID]) { arguments in
                    let mounts = added.enumerated().map { index, mount in
                        let first = maps.count + 3 * index
                        return slipway_mount(
                            kind: mount.cKind, flags: mount.flags.rawValue, source: strings[first],
                            target: strings[first + 1], data: strings[first + 2])
                    }
                    return mounts.withUnsafeBufferPointer { mounts in
                        var options = slipway_sandbox()
                        options.joined = self.joined?.rawValue ?? -1
                        options.network = self.namespace?.rawValue ?? -1
                        options.has_user_namespace = self.hasUserNamespace ? 1 : 0
                        options.namespaces = slipway_sandbox_namespaces
                        options.user_map = UnsafePointer(strings[0])
                        options.group_map = UnsafePointer(strings[1])
                        if self.isRenamed {
                            options.inner_user_map = UnsafePointer(strings[2])
                            options.inner_group_map = UnsafePointer(strings[3])
                        }
                        options.maps_owner =
                            !self.isRenamed && added.contains { $0.kind == .layered } && self.owner.uid != geteuid()
                            ? 1 : 0
                        options.mounts = mounts.baseAddress
                        options.mount_count = mounts.count
                        options.init_argv = arguments
                        options.init_brand = slipway_limit(
                            resource: slipway_limit_resident, value: ProcessTree.brand(ofSandbox: self.startID))
                        defer { withExtendedLifetime((self.joined, self.namespace)) {} }
                        return body(&options)
                    }
                }
            }
        }

        /// What the sandbox was being made of when that failed.
        func detail(of result: slipway_spawn_result) -> String {
            switch UInt32(result.step) {
            case SLIPWAY_STEP_NAMESPACES.rawValue:
                return self.joined == nil ? " (new namespaces)" : " (going into that of its instance)"
            case SLIPWAY_STEP_FILTER.rawValue: return " (the filter of system calls)"
            case SLIPWAY_STEP_INIT.rawValue: return " (its first process)"
            default:
                let added = self.container == nil ? self.plan.mounts : self.plan.additions
                guard added.indices.contains(Int(result.mount)) else { return " (its root)" }
                let mount = added[Int(result.mount)]
                let source = mount.source == mount.target ? "" : ", from \(mount.source)"
                let layer = mount.kind == .layered ? ", with a layer over it" : ""
                return " (\(mount.target)\(source)\(layer))"
            }
        }
    }
}
