import CProcessLauncher
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

/// What a runtime makes a container of: its specification, and what its root has before anything is mounted in it.
struct OCIBundle: Sendable {
    struct Link: Sendable, Hashable {
        var path: String
        var destination: String
    }

    /// The first process, in the container. Whoever is not root may execute it and not read it, root neither without rights.
    static let initProgram = "/.slipway-init"

    private(set) var directories: [String] = []
    private(set) var links: [Link] = []
    private(set) var specification: OCISpecification

    /// Translates a sandbox's plan, step by step.
    ///
    /// - Parameters:
    ///   - plan: What the container holds.
    ///   - startID: Whose it is.
    ///   - user: Who its first process is.
    ///   - host: What there is on the host.
    init(_ plan: SandboxPlan, startID: String, user: UserSpec, host: HostFiles) {
        self.specification = OCISpecification(
            arguments: [Self.initProgram, startID], user: user, brand: ProcessTree.brand(ofSandbox: startID))
        for mount in plan.mounts { self.add(mount, host) }
    }

    private mutating func add(_ mount: SandboxMount, _ host: HostFiles) {
        switch mount.kind {
        case .directory: self.directories.append(mount.target)
        case .symlink:
            // The usual links in /dev are the runtime's to make, as the specification has it; and so are the usual devices.
            if !mount.target.hasPrefix("/dev/") {
                self.links.append(Link(path: mount.target, destination: mount.source))
            }
        case .tree, .layered:
            // A terminal of the host's is no usual device; its name there is the plan's to give.
            if mount.target.hasPrefix("/dev/"), mount.target != "/dev/console", mount.flags.contains(.devices) {
                return
            }
            let kind = host.inspect(FilePath(mount.source))
            if mount.flags.contains(.optional), kind == .missing { return }
            var options = ["rprivate", "nosuid"]
            if !mount.flags.contains(.devices) { options.append("nodev") }
            // The layer is put over it by whoever first goes into the container.
            if mount.flags.contains(.readOnly) || mount.kind == .layered { options.append("ro") }
            if mount.flags.contains(.noPrograms) { options.append("noexec") }
            // Beneath a file nothing is mounted, and crun 1.8 takes whatever is to be set for all of a tree as a directory.
            options += kind == .file ? ["bind"] : options.dropFirst().map { "r\($0)" } + ["rbind"]
            self.specification.mounts.append(
                .init(destination: mount.target, type: "bind", source: mount.source, options: options))
        case .mask:
            if mount.source == mount.target {
                self.specification.linux.readonlyPaths.append(mount.target)
            } else {
                self.specification.linux.maskedPaths.append(mount.target)
            }
        case .new:
            var options = ["nosuid"]
            if mount.flags.contains(.readOnly) { options.append("ro") }
            // Devices are made in /dev itself.
            if !mount.flags.contains(.devices), mount.target != "/dev" { options.append("nodev") }
            if mount.flags.contains(.noPrograms) { options.append("noexec") }
            options += mount.data.split(separator: ",").map(String.init)
            self.specification.mounts.append(
                .init(destination: mount.target, type: mount.source, source: mount.source, options: options))
        }
    }

    /// For a host without rights: a runtime makes everything in a user namespace, in which there is but the host's own user. It is
    /// root there, as runtimes want it: whoever is not mapped to root has no first process.
    mutating func makeUserNamespace(user: UInt32, group: UInt32) {
        self.specification.linux.namespaces.append(.init(type: "user"))
        self.specification.linux.uidMappings = [.init(containerID: 0, hostID: user, size: 1)]
        self.specification.linux.gidMappings = [.init(containerID: 0, hostID: group, size: 1)]
    }

    /// The container is made in a network that there is, by the path of its namespace.
    mutating func goIntoNetwork(_ path: String) {
        self.specification.linux.namespaces.append(.init(type: "network", path: path))
    }

    /// Writes it into a directory, which is made.
    func write(to directory: FilePath) throws(SupervisorError) {
        let root = directory.appending("rootfs")
        do {
            try FileManager.default.createDirectory(
                atPath: directory.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            for path in ["/"] + self.directories { try Self.makeDirectories(FilePath(path), in: root) }
            for link in self.links {
                try Self.makeDirectories(FilePath(link.path).removingLastComponent(), in: root)
                try Self.check(symlink(link.destination, root.string + link.path))
            }
            try Self.writeInitProgram(to: FilePath(root.string + Self.initProgram))
            let file = try FileDescriptor.open(
                directory.appending("config.json"), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite)
            _ = try file.closeAfter { try file.writeAll(JSONEncoder().encode(self.specification)) }
        } catch {
            throw SupervisorError(
                code: .launchFailed, message: "cannot write the bundle of a container to \(directory): \(error)",
                cause: error)
        }
    }

    /// Whatever the host's mask of modes is: other users are to go through them.
    private static func makeDirectories(_ path: FilePath, in root: FilePath) throws {
        var directory = root
        for component in [nil] + path.components.map(Optional.some) {
            if let component { directory.append(component) }
            if mkdir(directory.string, 0o755) == 0 {
                try Self.check(chmod(directory.string, 0o755))
            } else if errno != EEXIST {
                throw Errno(rawValue: errno)
            }
        }
    }

    private static func writeInitProgram(to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerWrite)
        try file.closeAfter {
            let error = slipway_write_init_program(file.rawValue)
            guard error == 0 else { throw Errno(rawValue: error) }
            try Self.check(fchmod(file.rawValue, 0o111))
        }
    }

    private static func check(_ outcome: Int32) throws { if outcome != 0 { throw Errno(rawValue: errno) } }
}
