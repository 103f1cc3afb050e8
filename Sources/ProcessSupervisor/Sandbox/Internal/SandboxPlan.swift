import CProcessLauncher
import SystemPackage

/// The file system of one sandbox, as steps in the order in which they are taken.
struct SandboxPlan: Sendable, Hashable {
    private(set) var mounts: [SandboxMount] = []
    /// What is shown of the host, by its path in the sandbox.
    private var shown: [FilePath] = []
    /// The application's tree, where it is mounted.
    private(set) var tree: FilePath?

    /// Plans a sandbox.
    ///
    /// - Parameters:
    ///   - policy: What it holds.
    ///   - process: The program that will run in it.
    ///   - owner: Whose its home is.
    ///   - terminal: The one that it is given, as the host calls it.
    ///   - host: What there is on the host.
    init(
        _ policy: SandboxPolicy, for process: ProcessSpec, owner: UserSpec, terminal: FilePath? = nil, host: HostFiles
    ) {
        self.addSystem(policy, host)
        self.addOwnDirectories(policy, process.limits)
        self.addProcesses()
        self.addDevices(policy, terminal)
        self.addShown(policy, process, owner, host)
    }

    /// What is added to a container by whoever first goes into it: no runtime makes layers in a place of the container's own.
    var additions: [SandboxMount] { self.mounts.filter { $0.kind == .layered } }

    /// Whether a path of the host's is there in the sandbox.
    func shows(_ path: FilePath) -> Bool { self.shown.contains { path.starts(with: $0) } }

    private mutating func addSystem(_ policy: SandboxPolicy, _ host: HostFiles) {
        for path in policy.systemPaths {
            switch host.inspect(path) {
            case .missing: continue
            case .link(let destination):
                self.mounts.append(SandboxMount(.symlink, from: destination, at: path.string))
            case .directory, .file:
                self.mounts.append(SandboxMount(.tree, from: path.string, at: path.string, .readOnly))
            }
            self.shown.append(path)
        }
        for name in policy.configurationNames {
            let path = "/etc/\(name)"
            // Followed to where it leads: what is linked into /run, say, is nowhere in the sandbox.
            let source = host.resolve(FilePath(path)).string
            self.mounts.append(SandboxMount(.tree, from: source, at: path, [.readOnly, .optional]))
        }
        self.mounts.append(SandboxMount(.symlink, from: "/proc/self/mounts", at: "/etc/mtab"))
    }

    private mutating func addOwnDirectories(_ policy: SandboxPolicy, _ limits: ResourceLimits) {
        self.mounts += [
            SandboxMount(
                .new, from: "tmpfs", at: "/tmp",
                data: "mode=1777,\(Self.size(limits.diskBytes ?? policy.temporaryBytes))"),
            SandboxMount(.symlink, from: "../tmp", at: "/var/tmp"),
            SandboxMount(.directory, at: SLIPWAY_STAGE),
        ]
        // Keys of the machine, beside the certificates that programs need. Root reads them without any right.
        for path in ["/etc/ssl/private", "/etc/pki/tls/private"] {
            self.mounts.append(SandboxMount(.mask, from: "/run", at: path, [.readOnly, .optional]))
        }
    }

    /// A file takes memory even if it is empty, so their number is limited, too.
    private static func size(_ bytes: Int) -> String { "size=\(bytes),nr_inodes=\(max(bytes / 4096, 16))" }

    private mutating func addProcesses() {
        // Without hidepid: whoever is in the namespace is the instance's own, and a probe's command is to see it, which has a
        // Landlock domain beside the instance's and so no right to look into its processes.
        self.mounts.append(SandboxMount(.new, from: "proc", at: "/proc", .noPrograms))
        // Settings of the whole machine: root may write some of them by its number alone, without any right.
        for name in ["sys", "sysrq-trigger", "irq", "bus", "fs", "scsi", "acpi", "driver", "mtrr", "asound"] {
            self.mounts.append(SandboxMount(.mask, from: "/proc/\(name)", at: "/proc/\(name)", [.readOnly, .optional]))
        }
    }

    private mutating func addDevices(_ policy: SandboxPolicy, _ terminal: FilePath?) {
        self.mounts.append(SandboxMount(.new, from: "tmpfs", at: "/dev", data: "mode=0755,size=64k,nr_inodes=64"))
        // Read-only is about the nodes, which are the host's own: their owner could change who may use them, for all. What is
        // written to a device is not written to its node.
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            self.mounts.append(SandboxMount(.tree, from: "/dev/\(name)", at: "/dev/\(name)", [.devices, .readOnly]))
        }
        // A terminal of the host's has no name among the sandbox's own. Who asks for it looks for a device that is the same.
        if let terminal {
            self.mounts.append(
                SandboxMount(.tree, from: terminal.string, at: "/dev/console", [.devices, .readOnly]))
        }
        // What could be read of the machine's memory and its keys.
        for name in ["kcore", "keys", "timer_list", "sched_debug"] {
            self.mounts.append(SandboxMount(.mask, from: "/dev/null", at: "/proc/\(name)", [.devices, .optional]))
        }
        self.mounts += [
            SandboxMount(
                .new, from: "tmpfs", at: "/dev/shm", .noPrograms,
                data: "mode=1777,\(Self.size(policy.sharedMemoryBytes))"),
            SandboxMount(
                .new, from: "devpts", at: "/dev/pts", [.devices, .noPrograms],
                data: "newinstance,ptmxmode=0666,mode=620"),
            SandboxMount(.symlink, from: "pts/ptmx", at: "/dev/ptmx"),
            SandboxMount(.symlink, from: "/proc/self/fd", at: "/dev/fd"),
            SandboxMount(.symlink, from: "/proc/self/fd/0", at: "/dev/stdin"),
            SandboxMount(.symlink, from: "/proc/self/fd/1", at: "/dev/stdout"),
            SandboxMount(.symlink, from: "/proc/self/fd/2", at: "/dev/stderr"),
        ]
    }

    /// The tree, what else is shown, what is hidden and the home: outer ones first, so that each shows in what is around it.
    private mutating func addShown(
        _ policy: SandboxPolicy, _ process: ProcessSpec, _ owner: UserSpec, _ host: HostFiles
    ) {
        var additions: [(path: FilePath, mount: SandboxMount)] = []
        func add(_ mount: SandboxMount) { additions.append((FilePath(mount.target), mount)) }

        let storage = (process.storage ?? []).map { SandboxPolicy.Bind(FilePath($0), isWritable: true) }
        for bind in policy.binds + storage {
            add(
                SandboxMount(
                    .tree, from: host.resolve(bind.source).string, at: bind.target.string,
                    bind.isWritable ? [] : .readOnly))
            self.shown.append(bind.target)
        }
        let tree = FilePath(process.workingDirectory)
        func depth(of paths: [FilePath]) -> Int {
            paths.filter { tree.starts(with: $0) }.map(\.components.count).max() ?? -1
        }
        // Under the names that they have and the ones that these lead to: either may be in something that is shown.
        let hidden = Set(policy.hiddenPaths.flatMap { [$0, host.resolve($0)] }).sorted { $0.string < $1.string }
        // The root of the sandbox, and what is in a part of it, needs nothing more; unless it is hidden there.
        let shownDepth = depth(of: self.shown)
        let isThere =
            tree == "/" || tree == "/tmp" || Self.hasOwn(tree)
            || (shownDepth >= 0 && shownDepth >= depth(of: hidden))
        if !isThere {
            add(Self.mount(tree, from: host.resolve(tree), policy, process.limits))
            self.shown.append(tree)
            self.tree = tree
        }
        for path in hidden {
            guard self.shown.contains(where: { path.starts(with: $0) }), host.inspect(path) == .directory else {
                continue
            }
            add(
                SandboxMount(.new, from: "tmpfs", at: path.string, .noPrograms, data: "mode=0555,size=64k,nr_inodes=64")
            )
        }
        if let home = process.environment["HOME"].map({ FilePath($0) }), home.isAbsolute, home.isLexicallyNormal,
            home != "/", !self.shows(home), !Self.ownPaths.contains(where: { home.starts(with: $0) })
        {
            add(
                SandboxMount(
                    .new, from: "tmpfs", at: home.string,
                    data:
                        "mode=0700,uid=\(owner.uid),gid=\(owner.gid),\(Self.size(process.limits.diskBytes ?? policy.homeBytes))"
                ))
        }
        // A stable sort, and what is hidden before what is shown at the same place.
        let ordered = additions.enumerated().sorted { first, second in
            let (a, b) = (first.element.path.components.count, second.element.path.components.count)
            if a != b { return a < b }
            let (isNew, isOtherNew) = (first.element.mount.kind == .new, second.element.mount.kind == .new)
            return isNew != isOtherNew ? isNew : first.offset < second.offset
        }
        self.mounts += ordered.map(\.element.mount)
    }

    private static func mount(
        _ tree: FilePath, from source: FilePath, _ policy: SandboxPolicy, _ limits: ResourceLimits
    ) -> SandboxMount {
        switch policy.treeAccess {
        case .readOnly: SandboxMount(.tree, from: source.string, at: tree.string, .readOnly)
        case .shared: SandboxMount(.tree, from: source.string, at: tree.string)
        case .privateLayer(let bytes):
            SandboxMount(
                .layered, from: source.string, at: tree.string,
                data: "mode=0700,\(Self.size(limits.diskBytes ?? bytes))")
        }
    }

    /// Whether a path is one of every sandbox's own, where the host's are not seen. Not so `/tmp`: what is shown of the host's
    /// may be in it.
    static func hasOwn(_ path: FilePath) -> Bool {
        Self.ownPaths.contains { $0 != "/tmp" && path.starts(with: $0) }
    }

    /// What every sandbox has of its own.
    private static let ownPaths: [FilePath] = ["/tmp", "/var/tmp", "/proc", "/dev", "/run", "/etc", Self.oldRoot]

    /// Where the host's root is while the sandbox is made; nothing is made in it.
    static let oldRoot = FilePath(SLIPWAY_OLD_ROOT)
}
