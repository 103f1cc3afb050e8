import ProcessSupervisorTesting
import SystemPackage
import TestSupport

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where attacks take place: the platform's data with two applications' slugs in it, a victim, and listeners.
///
/// An attack's environment has `TREE`, `VICTIM_TREE`, `VICTIM_STORAGE` and `DATA`, paths on the host; `VICTIM_PID` and `HOST_PID`;
/// `VICTIM_MARK`, which is in the victim's command line, and `VICTIM_SECRET`, which is in its environment; `ADMIN_PORT`, on
/// the host's loopback, `OPEN_PORT`, on all of the host's addresses, and `ABSTRACT`, the ports and the name of something that
/// listens; `HOST_ADDRESS`, where the host is found; `VICTIM_HOST` and `VICTIM_PORT`, where the victim listens.
struct AttackScene: Sendable {
    let supervisor: Supervisor
    let output: RecordingOutputHandler
    let root: FilePath
    let attacker: IsolationAttack.Attacker
    let environment: [String: String]

    private static let mark = "1000.0625"
    private static let secret = "of-the-victim"

    /// Sets everything up, and takes it down when `body` returns.
    static func with(
        _ attacker: IsolationAttack.Attacker, groups: ControlGroups?, _ body: (AttackScene) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { root in
            for directory in ["data", "storage", "slugs", "slugs/attacker", "slugs/victim"] {
                try Self.check(mkdir(root.appending(directory).string, directory == "data" ? 0o700 : 0o755))
            }
            try Self.write("secret", to: root.appending("data/secret.key"), mode: .ownerReadWrite)
            let storage = root.appending("storage/victim")
            try Self.check(mkdir(storage.string, 0o700))
            try Self.write("secret", to: storage.appending("kept"), mode: .ownerReadWrite)
            if attacker.hasOwnUser { try Self.check(chown(storage.string, 65501, 65501)) }
            try Self.write("secret", to: root.appending("slugs/victim/secret"), mode: [.ownerReadWrite, .otherRead])
            try Self.write(
                "#!/bin/sh", to: root.appending("slugs/attacker/program"), mode: [.ownerReadWrite, .otherRead])
            let (admin, port) = try Self.listen(on: .loopback)
            let (open, openPort) = try Self.listen(on: IPv4Address(0))
            let abstract = "slipway-attack-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            let listeners = [
                admin, open, try Self.listen(atUnix: [0] + Array(abstract.utf8)),
                try Self.listen(atUnix: Array(root.appending("data/socket").string.utf8)),
            ]
            var policy = SandboxPolicy(
                treeAccess: .privateLayer(bytes: 1 << 20), temporaryBytes: 1 << 20, homeBytes: 1 << 20,
                sharedMemoryBytes: 1 << 20)
            let network = InstanceNetwork()
            if attacker.hasOwnNetwork { policy.network = .own(network) }
            let runtime = OCIRuntime(directory: root.appending("containers"))
            let launcher: any Launcher =
                if attacker.isSandboxed {
                    try SandboxLauncher(policy: policy, groups: groups)
                } else if attacker.isInContainer {
                    try OCILauncher(runtime: runtime, policy: policy, groups: groups)
                } else {
                    HostLauncher(groups: groups)
                }
            let output = RecordingOutputHandler()
            try await withSupervisor(in: root, launcher: launcher, output: output) { supervisor in
                var victim = InstanceSpec.shell(
                    "victim",
                    """
                    exec python3 -c "import os, signal, socket
                    listener = socket.create_server(('', int(os.environ['PORT'])))
                    print('up', flush=True)
                    signal.pause()" \(Self.mark)
                    """, in: root.appending("slugs/victim"), port: .allocate)
                victim.process.environment["VICTIM_SECRET"] = Self.secret
                victim.process.user = attacker.hasOwnUser ? UserSpec(uid: 65501, gid: 65501) : nil
                victim.process.storage = [storage.string]
                let status = try await supervisor.start(victim)
                _ = await output.lines(of: "victim") { !$0.isEmpty }
                let environment = [
                    "TREE": root.appending("slugs/attacker").string,
                    "VICTIM_TREE": root.appending("slugs/victim").string,
                    "VICTIM_STORAGE": storage.string,
                    "DATA": root.appending("data").string, "HOME": "/home/attacker",
                    "VICTIM_PID": String(status.pid ?? 0), "HOST_PID": String(getpid()), "VICTIM_MARK": Self.mark,
                    // Not to be found in the attacker's own environment.
                    "REST_OF_SECRET": String(Self.secret.dropFirst(3)), "ADMIN_PORT": String(port),
                    "OPEN_PORT": String(openPort), "VICTIM_HOST": status.host ?? "",
                    "VICTIM_PORT": String(status.port ?? 0),
                    "HOST_ADDRESS": attacker.hasOwnNetwork ? network.hostAddress ?? "" : "127.0.0.1",
                    "ABSTRACT": abstract, "HOST_NULL": try Self.identity(of: "/dev/null"),
                ]
                try await body(
                    AttackScene(
                        supervisor: supervisor, output: output, root: root, attacker: attacker, environment: environment
                    ))
            }
            if attacker.isInContainer { try await OCILauncher(runtime: runtime).endLeftovers(except: []) }
            withExtendedLifetime(listeners) {}
        }
    }

    /// A file's device and number, by which it is known wherever it is seen.
    private static func identity(of path: String) throws -> String {
        var information = stat()
        guard stat(path, &information) == 0 else { throw Errno(rawValue: errno) }
        return "\(information.st_dev):\(information.st_ino)"
    }

    /// Runs an attack and returns whether it succeeded, and what it said.
    func run(_ attack: IsolationAttack, number: Int) async throws -> (succeeded: Bool, said: String) {
        let id = InstanceID("attack-\(number)")
        let script = """
            VICTIM_SECRET=of-$REST_OF_SECRET
            if (
            \(attack.script)
            ) 2>&1; then outcome=ATTACK-SUCCEEDED; else outcome=ATTACK-FAILED; fi
            rm -f /tmp/*-$$
            # What the attack wrote may have had no end of its last line.
            echo; echo $outcome
            """
        var spec = InstanceSpec.shell(id, script, in: self.root.appending("slugs/attacker"))
        spec.process.environment.merge(self.environment) { $1 }
        spec.process.limits = ResourceLimits(maxProcesses: 60)
        spec.process.user = self.attacker.hasOwnUser ? UserSpec(uid: 65502, gid: 65502) : nil
        _ = try await self.supervisor.start(spec)
        _ = await self.output.lines(of: id) { $0.contains { $0.hasPrefix("ATTACK-") } }
        _ = await self.supervisor.stop(id)
        let said = self.output.texts(of: id)
        let isThere = attack.leaves.map { access(self.root.pushing(FilePath($0)).string, F_OK) == 0 } ?? true
        return (isThere && said.contains("ATTACK-SUCCEEDED"), said.joined(separator: "\n"))
    }

    private static func check(_ outcome: Int32) throws { if outcome != 0 { throw Errno(rawValue: errno) } }

    private static func write(_ text: String, to path: FilePath, mode: FilePermissions) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: mode)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    private static func listen(on host: IPv4Address) throws -> (Descriptor, UInt16) {
        let listener = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = host.number.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                try Self.check(bind(listener.rawValue, pointer, length))
                try Self.check(Glibc.listen(listener.rawValue, 8))
                try Self.check(getsockname(listener.rawValue, pointer, &length))
            }
        }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// A path, or a name that begins with a zero.
    private static func listen(atUnix name: [UInt8]) throws -> Descriptor {
        let listener = Descriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                try Self.check(bind(listener.rawValue, pointer, length))
            }
        }
        try Self.check(Glibc.listen(listener.rawValue, 8))
        return listener
    }
}
