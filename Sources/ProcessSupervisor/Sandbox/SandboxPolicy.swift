public import SystemPackage

/// What an instance in a sandbox finds there: the file system is made of this, and of nothing else.
///
/// The application's tree, which is the working directory of its process, is there under its own path; what an instance changes
/// in it is in a layer of its own, and gone with it. Paths of the host are followed to where they lead before a sandbox is made, so that a symbolic link in them shows what it leads to.
public struct SandboxPolicy: Sendable, Hashable {
    /// Something of the host's that is shown in a sandbox, with what is mounted beneath it.
    public struct Bind: Sendable, Hashable {
        /// A directory or a file of the host. Where it is missing, nothing is started.
        public var source: FilePath
        /// Where it is in the sandbox, absolute.
        public var target: FilePath
        /// Whether instances may write to it, as far as their user may.
        public var isWritable: Bool

        /// Shows something, under its own path if no other is given.
        public init(_ source: FilePath, at target: FilePath? = nil, isWritable: Bool = false) {
            self.source = source
            self.target = target ?? source
            self.isWritable = isWritable
        }
    }

    /// What an instance may do to its application's tree, which others use as well.
    public enum TreeAccess: Sendable, Hashable {
        /// Read it.
        case readOnly
        /// Change it for itself alone: what it writes, renames and removes is in a layer over the tree (overlayfs), of at
        /// most so many bytes, at least 64 KiB, and empty at each start. They are memory, and count as the instance's.
        ///
        /// An instance with a user of its own sees as its own there what belongs to the host's user; it takes a file system
        /// under the tree that has id-mapped mounts (Linux 5.19). A host that is not root needs Linux 6.6 for it, and a
        /// directory of the tree is renamed there as between file systems (`EXDEV`; `mv` copies).
        case privateLayer(bytes: Int = 256 << 20)
        /// Change it for all that use it.
        case shared
    }

    /// Programs and libraries of the host, read-only. What is a symbolic link there is one here; what is missing is left out.
    public var systemPaths: [FilePath]
    /// Files and directories in the host's `/etc`, read-only. What is missing is left out.
    public var configurationNames: [String]
    /// What else is shown.
    public var binds: [Bind]
    /// Directories that are empty in the sandbox although they are in something that is shown: the platform's data, say.
    /// What is shown within them is there again.
    public var hiddenPaths: [FilePath]
    /// What instances may do to their application's tree.
    public var treeAccess: TreeAccess
    /// Which network they are in.
    public var network: Network
    /// Bytes of an instance's own `/tmp`, at least 64 KiB. They are memory, and count as the instance's.
    /// ``ResourceLimits/diskBytes`` of an instance stands in place of this, and of ``homeBytes`` and the bytes of a layer.
    public var temporaryBytes: Int
    /// Bytes of an instance's own home, which is what `HOME` in its environment says if that is nothing that is shown already.
    public var homeBytes: Int
    /// Bytes of memory that its processes share by name (`/dev/shm`).
    public var sharedMemoryBytes: Int

    /// Describes what a sandbox holds.
    public init(
        systemPaths: [FilePath] = Self.systemPaths,
        configurationNames: [String] = Self.configurationNames,
        binds: [Bind] = [],
        hiddenPaths: [FilePath] = [],
        treeAccess: TreeAccess = .privateLayer(),
        network: Network = .shared,
        temporaryBytes: Int = 256 << 20,
        homeBytes: Int = 64 << 20,
        sharedMemoryBytes: Int = 64 << 20
    ) {
        self.systemPaths = systemPaths
        self.configurationNames = configurationNames
        self.binds = binds
        self.hiddenPaths = hiddenPaths
        self.treeAccess = treeAccess
        self.network = network
        self.temporaryBytes = temporaryBytes
        self.homeBytes = homeBytes
        self.sharedMemoryBytes = sharedMemoryBytes
    }

    /// Where systems keep programs and libraries.
    public static let systemPaths: [FilePath] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

    /// What programs need of `/etc`: names, certificates, how names are resolved, and what belongs to languages. Nothing that
    /// is secret or says much about the machine.
    public static let configurationNames: [String] = [
        "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "fonts",
        "gai.conf",
        "group", "host.conf", "hosts", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic",
        "mime.types", "networks", "nsswitch.conf", "os-release", "passwd", "perl", "php", "pki", "protocols",
        "resolv.conf",
        "rpc", "services", "shells", "ssl", "terminfo", "timezone",
        "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "java-25-openjdk",
    ]
}

extension SandboxPolicy {
    /// The same with trees that are read.
    var readOnly: Self {
        var policy = self
        policy.treeAccess = .readOnly
        return policy
    }

    /// Refuses what no sandbox could be made of.
    func validate() throws(SupervisorError) {
        let paths = self.systemPaths + self.hiddenPaths + self.binds.flatMap { [$0.source, $0.target] }
        for path in paths where !path.isAbsolute || path.string.utf8.count > 3000 || !path.isLexicallyNormal {
            throw .invalid("\"\(path)\" cannot be a path of a sandbox: use an absolute one without \"..\"")
        }
        for name in self.configurationNames
        where name.isEmpty || name == "." || name == ".." || name.contains("/") || name.utf8.count > 255 {
            throw .invalid("\"\(name)\" cannot be a name in /etc of a sandbox: use the name of a file alone")
        }
        var layerBytes = 64 << 10
        if case .privateLayer(let bytes) = self.treeAccess { layerBytes = bytes }
        for (name, bytes) in [
            ("privateLayer", layerBytes), ("temporaryBytes", self.temporaryBytes), ("homeBytes", self.homeBytes),
            ("sharedMemoryBytes", self.sharedMemoryBytes),
        ] where !(64 << 10...1 << 50).contains(bytes) {
            throw .invalid("\(name) of a sandbox is \(bytes); it must be from \(64 << 10) to \(1 << 50)")
        }
        if case .own(let network) = self.network { try network.validate() }
    }
}
