import CProcessLauncher
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Instances in real networks of their own.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled("it takes root, and sandboxes") {
        guard getuid() == 0 else { return false }
        return await TestSandbox.isUsable
    })
struct NetworkTests {
    private static let policy = SandboxPolicy(treeAccess: .shared, network: .own(InstanceNetwork()))

    @Test(arguments: LauncherConformance.Check.all)
    func `the sandbox launcher keeps its promises with networks`(check: LauncherConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await check.run(LauncherConformance(workspace: directory) { try SandboxLauncher(policy: Self.policy) })
        }
    }

    /// Answers every connection with its name, as HTTP.
    private static func server(_ id: InstanceID, in directory: FilePath) -> InstanceSpec {
        let script = """
            exec python3 -c "import os, socket
            listener = socket.create_server(('', int(os.environ['PORT'])))
            while True:
                connection = listener.accept()[0]
                connection.recv(4096)
                connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n' + b'\(id.rawValue)')
                connection.close()"
            """
        return .shell(
            id, script, in: directory, port: .allocate, readiness: .http(path: "/", bodyContains: id.rawValue))
    }

    private static func link(_ status: InstanceStatus?) throws -> String {
        HeldNetwork.linkName(try #require(status?.host.flatMap { IPv4Address($0) }).number)
    }

    /// The kernel has its own time for it.
    private static func waitUntilGone(_ link: String) async { while if_nametoindex(link) != 0 { await Task.yield() } }

    @Test(arguments: [false, true])
    func `instances listen on the same port, are found by their probes, and leave no link`(inContainers: Bool)
        async throws
    {
        if inContainers, await !TestContainers.areUsable { return }
        try await withTemporaryDirectory { directory in
            let runtime = OCIRuntime(directory: directory.appending("containers"))
            let launcher: any Launcher =
                inContainers
                ? try OCILauncher(runtime: runtime, policy: Self.policy) : try SandboxLauncher(policy: Self.policy)
            let links = try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                for id in ["a1", "a2"] as [InstanceID] {
                    _ = try await supervisor.start(Self.server(id, in: directory))
                    try await supervisor.waitUntilReady(id)
                }
                let statuses = [supervisor.status(of: "a1"), supervisor.status(of: "a2")]
                #expect(statuses[0]?.port == statuses[1]?.port)
                #expect(statuses[0]?.host != statuses[1]?.host)
                let links = try statuses.map(Self.link)
                #expect(links.allSatisfy { if_nametoindex($0) != 0 })
                return links
            }
            for link in links { await Self.waitUntilGone(link) }
            if inContainers { await launcher.endLeftovers(except: []) }
        }
    }

    @Test func `the next host finds an instance at its address`() async throws {
        try await withTemporaryDirectory { directory in
            let before = try await withSupervisor(
                in: directory, launcher: try SandboxLauncher(policy: Self.policy), onShutdown: .leaveRunning
            ) { supervisor in
                _ = try await supervisor.start(Self.server("a", in: directory))
                try await supervisor.waitUntilReady("a")
                return supervisor.status(of: "a")
            }
            // Whatever network the next host's own instances are in.
            try await withSupervisor(in: directory, launcher: try SandboxLauncher(policy: TestSandbox.policy)) {
                supervisor in
                try await supervisor.waitUntilReady("a")
                let after = supervisor.status(of: "a")
                #expect(after?.adopted == true)
                #expect(after?.pid == before?.pid)
                #expect(after?.host == before?.host)
                #expect(after?.lastProbe?.succeeded == true)
            }
            await Self.waitUntilGone(try Self.link(before))
        }
    }

    @Test func `of what nobody recorded no link is left`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = try SandboxLauncher(policy: Self.policy)
            let startID = "network\(UInt64.random(in: 0 ... .max))"
            var process = ProcessSpec.shell("exec sleep 1000", in: directory)
            process.environment[LaunchRequest.markerVariable] = startID
            let launched = try await launcher.launch(
                LaunchRequest(id: "a", startID: startID, process: process, output: .discard))
            let link = HeldNetwork.linkName(try #require(IPv4Address(launched.host)).number)
            #expect(if_nametoindex(link) != 0)
            // As if the host had died: nobody releases anything, the process alone ends.
            kill(launched.pid, SIGKILL)
            await launched.handle.killTree()
            await Self.waitUntilGone(link)
            launched.handle.release()
        }
    }

    @Test func `the host listens to nobody with another's address, and passes nothing on unless that is wanted`() throws
    {
        for forwards in [false, true] {
            let made = try Networks(InstanceNetwork(forwards: forwards)).make()
            defer { made.network.retire() }
            let link = HeldNetwork.linkName(made.network.address.number)
            func setting(_ name: String) -> String? { GroupFiles.read("/proc/sys/net/\(name)")?.filter { $0 != "\n" } }
            #expect(setting("ipv4/conf/\(link)/rp_filter") == "1")
            #expect(setting("ipv4/conf/\(link)/route_localnet") == "0")
            #expect(setting("ipv4/conf/\(link)/proxy_arp") == "0")
            #expect(setting("ipv4/conf/\(link)/forwarding") == (forwards ? "1" : "0"))
            #expect(["1", nil].contains(setting("ipv6/conf/\(link)/disable_ipv6")))
        }
    }

    @Test func `what forwarding takes is in the packet filter before anything is started, once`() throws {
        // Whose addresses nobody has: what the table says is of no consequence to others.
        let network = InstanceNetwork(range: "10.212.254.0/24", forwards: true)
        let table = Networks.tableName(try #require(network.block))
        #expect(table == "slipway_0ad4fe00_24")
        let launcher = try SandboxLauncher(policy: SandboxPolicy(network: .own(network)), adoptsOrphans: false)
        for _ in 1...2 { #expect(try launcher.prepare() == []) }
        #expect(slipway_remove_filter(table) == 0)
        #expect(slipway_remove_filter(table) == ENOENT)
        let unforwarded = SandboxPolicy(network: .own(InstanceNetwork(range: "10.212.254.0/24")))
        #expect(try SandboxLauncher(policy: unforwarded, adoptsOrphans: false).prepare() == [])
        #expect(slipway_remove_filter(table) == ENOENT)
    }

    @Test func `a full range is an error that says so`() async throws {
        try await withTemporaryDirectory { directory in
            let policy = SandboxPolicy(network: .own(InstanceNetwork(range: "10.212.255.248/29")))
            let launcher = try SandboxLauncher(policy: policy)
            try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                for id in ["a1", "a2", "a3", "a4", "a5"] as [InstanceID] {
                    _ = try await supervisor.start(.shell(id, "exec sleep 1000", in: directory))
                }
                let error = await #expect(throws: SupervisorError.self) {
                    try await supervisor.start(.shell("a6", "exec sleep 1000", in: directory))
                }
                #expect(error?.message.contains("every address of 10.212.255.248/29 is taken") == true)
            }
        }
    }

    /// A datagram socket in the namespace that the thread is in.
    private static func socket() throws -> FileDescriptor {
        let descriptor = systemSocket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(descriptor >= 0)
        return FileDescriptor(rawValue: descriptor)
    }

    /// One in a namespace.
    private static func socket(in namespace: Descriptor) throws -> FileDescriptor {
        let own = try FileDescriptor.open("/proc/thread-self/ns/net", .readOnly)
        return try own.closeAfter {
            try #require(OtherMachine.enter(namespace.rawValue) == 0)
            let socket = try Self.socket()
            try #require(OtherMachine.enter(own.rawValue) == 0)
            return socket
        }
    }

    private static func withAddress<R>(
        _ address: UInt32, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> R
    ) rethrows -> R {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(4000).bigEndian
        place.sin_addr.s_addr = address.bigEndian
        return try withUnsafePointer(to: &place) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func send(_ text: String, to address: IPv4Address, from socket: FileDescriptor) throws {
        let bytes = Array(text.utf8)
        let sent = Self.withAddress(address.number) { sendto(socket.rawValue, bytes, bytes.count, 0, $0, $1) }
        try #require(sent == bytes.count)
    }

    private static func receive(from socket: FileDescriptor) -> String {
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(socket.rawValue, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    @Test func `a machine that begins to forward while it runs lets instances reach nobody`() async throws {
        let received = try await OtherMachine.run {
            var received: [String] = []
            let (own, forwarded) = (Networks(InstanceNetwork()), Networks(InstanceNetwork(forwards: true)))
            let (one, two, third) = (try own.make(), try own.make(), try forwarded.make())
            let receiver = try Self.socket(in: two.namespace)
            try #require(Self.withAddress(0) { bind(receiver.rawValue, $0, $1) } == 0)
            let (sender, other) = (try Self.socket(in: one.namespace), try Self.socket(in: third.namespace))
            let host = try Self.socket()
            // All at once: what each link was told before is forgotten.
            let setting = try FileDescriptor.open("/proc/sys/net/ipv4/ip_forward", .writeOnly)
            try setting.closeAfter { _ = try setting.writeAll("1".utf8) }
            // Without the packet filter they are reached, from a network of their kind and from one of another.
            for (text, socket) in [("one", sender), ("third", other)] {
                try Self.send(text, to: two.network.address, from: socket)
                received.append(Self.receive(from: receiver))
            }
            received += try own.prepare()
            for (text, socket) in [("one", sender), ("third", other), ("host", host)] {
                try Self.send(text, to: two.network.address, from: socket)
            }
            received.append(Self.receive(from: receiver))
            // The other kind goes on to be forwarded.
            let next = try Networks(InstanceNetwork(forwards: true)).make()
            let last = try Self.socket(in: next.namespace)
            try #require(Self.withAddress(0) { bind(last.rawValue, $0, $1) } == 0)
            try Self.send("third", to: next.network.address, from: other)
            received.append(Self.receive(from: last))
            for socket in [receiver, sender, other, host, last] { try socket.close() }
            return received
        }
        #expect(received == ["one", "third", "host", "third"])
    }
}
