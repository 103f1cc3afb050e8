/// `config.json` of a bundle, as far as it is needed: version 1.0.2 of the OCI's runtime specification.
///
/// It is that of the container's first process, which does nothing; what the instance gets is given to it when it is started.
/// Memory, processors and processes are limited by the control groups that every launcher uses (`ControlGroups`), which attribute
/// kills for memory and are found again by the next host: so there is nothing in `linux.resources`, and the group that the
/// runtime makes for the container holds the first process alone.
struct OCISpecification: Encodable, Sendable, Hashable {
    struct User: Encodable, Sendable, Hashable { var uid, gid: UInt32 }

    struct Capabilities: Encodable, Sendable, Hashable {
        var bounding: [String] = []
        var effective: [String] = []
        var permitted: [String] = []
        var inheritable: [String] = []
        var ambient: [String] = []
    }

    struct Limit: Encodable, Sendable, Hashable {
        var type: String
        var hard, soft: UInt64

        init(_ type: String, _ value: UInt64) {
            self.type = type
            self.hard = value
            self.soft = value
        }
    }

    struct Process: Encodable, Sendable, Hashable {
        var terminal = false
        var user: User
        var args: [String]
        var env: [String] = []
        var cwd = "/"
        var capabilities = Capabilities()
        var rlimits: [Limit]
        var noNewPrivileges = true
    }

    struct Root: Encodable, Sendable, Hashable {
        var path = "rootfs"
        var readonly = true
    }

    struct Mount: Encodable, Sendable, Hashable {
        var destination, type, source: String
        var options: [String]
    }

    struct Namespace: Encodable, Sendable, Hashable {
        var type: String
        /// One that there is; nil: a new one.
        var path: String?
    }

    /// Who somebody is in a user namespace, and who that is outside.
    struct Mapping: Encodable, Sendable, Hashable { var containerID, hostID, size: UInt32 }

    struct Linux: Encodable, Sendable, Hashable {
        /// Those that an instance goes into (`slipway_sandbox_namespaces`).
        var namespaces = ["mount", "pid", "ipc", "uts"].map { Namespace(type: $0) }
        /// With a namespace of the type `user`.
        var uidMappings: [Mapping]?
        var gidMappings: [Mapping]?
        var rootfsPropagation = "private"
        var maskedPaths: [String] = []
        var readonlyPaths: [String] = []
    }

    var ociVersion = "1.0.2"
    var process: Process
    var root = Root()
    var mounts: [Mount] = []
    var linux = Linux()

    /// Describes a container with nothing mounted in it.
    ///
    /// - Parameters:
    ///   - arguments: Its first process.
    ///   - user: Whose that is.
    ///   - brand: By which it is found again (see `ProcessTree`).
    init(arguments: [String], user: UserSpec, brand: UInt64) {
        self.process = Process(
            user: User(uid: user.uid, gid: user.gid), args: arguments,
            rlimits: [Limit("RLIMIT_RSS", brand), Limit("RLIMIT_CORE", 0)])
    }
}
