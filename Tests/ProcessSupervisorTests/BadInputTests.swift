import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

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

/// What cannot be carried out is refused with what is wrong, where, and what to do.
@Suite(.timeLimit(.minutes(1))) struct BadInputTests {
    struct Program: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var arguments = ["./program"]
        var contents: [UInt8]?
        var mode: mode_t = 0o755
        var environment: [String: String] = [:]
        var message: String

        init(
            _ name: String, _ contents: [UInt8]?, mode: mode_t = 0o755, arguments: [String] = ["./program"],
            environment: [String: String] = [:], message: String
        ) {
            self.testDescription = name
            self.contents = contents
            self.mode = mode
            self.arguments = arguments
            self.environment = environment
            self.message = message
        }
    }

    /// The head of a program for a processor that nobody has here.
    static let foreign: [UInt8] =
        [0x7f] + Array("ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 9) + [2, 0, 0xf7, 0]
        + [UInt8](repeating: 0, count: 100)

    static let programs: [Program] = [
        Program(
            "no such command", nil, arguments: ["no-such-program"],
            message: "cannot execute no-such-program: not found in PATH (/usr/local/bin:/usr/bin:/bin)"),
        Program(
            "no such file", nil,
            message:
                "cannot execute ./program: No such file or directory (there is no such file in the working directory)"),
        Program(
            "no run bit", Array("#!/bin/sh\n".utf8), mode: 0o644,
            message: "cannot execute ./program: Permission denied (it may not be executed: chmod +x ./program)"),
        Program(
            "a directory", nil, arguments: ["/tmp"],
            message: "cannot execute /tmp: Permission denied (it is a directory)"),
        Program(
            "bad interpreter", Array("#!/no/such/shell -e\n".utf8),
            message:
                "No such file or directory (its first line names the interpreter /no/such/shell, which is not here)"),
        Program(
            "lines of another system", Array("#!/bin/sh\r\necho\r\n".utf8),
            message: "(its lines end with a carriage return; save it with Unix line ends)"),
        Program(
            "no first line", Array("echo hello\n".utf8), message: "(a script needs a first line such as #!/bin/sh)"),
        Program("nothing at all", [], message: "(the file is empty)"),
        Program(
            "wrong architecture", foreign,
            message: "(it was built for a processor with the ELF number 247; this machine is "),
        Program(
            "an environment too large", Array("#!/bin/sh\n".utf8),
            environment: Dictionary(
                uniqueKeysWithValues: (0..<40).map { ("V\($0)", String(repeating: "x", count: 120_000)) }),
            message: "Argument list too long (its arguments and its environment have 48"),
    ]

    @Test(arguments: programs) func `a program that cannot be executed`(program: Program) async throws {
        try await withTemporaryDirectory { directory in
            if let contents = program.contents {
                let path = directory.appending("program").string
                try Data(contents).write(to: URL(filePath: path))
                chmod(path, program.mode)
            }
            try await withSupervisor(in: directory) { supervisor in
                var spec = InstanceSpec.shell("a", "", in: directory)
                spec.process.arguments = program.arguments
                spec.process.environment.merge(program.environment) { $1 }
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                #expect(error?.code == .launchFailed)
                #expect(error?.message.contains(program.message) == true, "\(error?.message ?? "")")
                #expect(supervisor.statuses().isEmpty)
            }
        }
    }

    @Test func `a port that another program has`() async throws {
        let server = try CannedServer(answering: "")
        defer { server.stop() }
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory, port: .fixed(server.port))
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                #expect(error?.code == .portUnavailable)
                #expect(error?.message.contains("port \(server.port) is taken by another program") == true)
            }
        }
    }

    @Test(arguments: [70000...70010, 0...0, -5 ... -1] as [ClosedRange<Int>])
    func `a range of ports that there are not`(range: ClosedRange<Int>) async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, configure: { $0.portRange = range }) { supervisor in
                let spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory, port: .allocate)
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                #expect(error?.code == .portUnavailable)
                #expect(error?.message.contains("no port from \(range.lowerBound)") == true)
            }
        }
    }

    @Test(.enabled(if: getuid() == 0, "only root could become another user"))
    func `a user that there is not`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                // To the system it means: stay root.
                for user in [UserSpec(uid: .max, gid: 1), UserSpec(uid: 1, gid: .max)] {
                    var spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory)
                    spec.process.user = user
                    let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                    #expect(error?.code == .invalidSpec)
                    #expect(error?.message == "sh: 4294967295 is the number of no user and no group")
                }
            }
        }
    }

    typealias Change = @Sendable (inout InstanceSpec) -> Void

    static func probe(_ change: (inout Probe) -> Void) -> Probe {
        var probe = Probe.tcp
        change(&probe)
        return probe
    }

    static let limits: [(String, Change)] = [
        ("port is 0; it must be from 1 to 65535", { $0.port = .fixed(0) }),
        ("port is 65536; it must be from 1 to 65535", { $0.port = .fixed(65536) }),
        (
            "the probe readiness asks a port, and there is none",
            {
                $0.port = nil; $0.readiness = .tcp
            }
        ),
        ("the limit diskBytes is 65535; it must be from 65536", { $0.process.limits.diskBytes = 65535 }),
        ("\"keep\" cannot be storage", { $0.process.storage = ["keep"] }),
        ("\"/a/../b\" cannot be storage", { $0.process.storage = ["/a/../b"] }),
        ("the command of liveness is empty", { $0.liveness = .command([""]) }),
        ("readiness.interval is 0.0 seconds", { $0.readiness = probe { $0.interval = .zero } }),
        ("readiness.timeout is 90000.0 seconds", { $0.readiness = probe { $0.timeout = .seconds(90000) } }),
        (
            "liveness.failureThreshold is 0; it must be from 1 to 1000",
            { $0.liveness = probe { $0.failureThreshold = 0 } }
        ),
        ("startup.successThreshold is 1001", { $0.startup = .probe(probe { $0.successThreshold = 1001 }) }),
        (
            "readiness.initialDelay is 60 s, and after 60 s (bootTimeout)",
            { $0.readiness = probe { $0.initialDelay = .seconds(60) } }
        ),
        ("startup.notification is 2; it must be from 3 to 255", { $0.startup = .notification(descriptor: 2) }),
        ("bootTimeout is 0.0 seconds", { $0.bootTimeout = .zero }),
        ("stop.signal is 65; it must be from 1 to 64", { $0.stop.signal = 65 }),
        ("stop.grace is -1.0 seconds", { $0.stop.grace = .seconds(-1) }),
        ("the command in preStop is empty", { $0.preStop = LifecycleCommand([]) }),
        ("postStart.timeout is 0.0 seconds", { $0.postStart = LifecycleCommand(["x"], timeout: .zero) }),
        ("restart.multiplier is nan", { $0.restart = .always(backoff: BackoffPolicy(multiplier: .nan)) }),
        ("restart.initial is -1.0 seconds", { $0.restart = .onFailure(backoff: BackoffPolicy(initial: .seconds(-1))) }),
        ("restart.maxAttempts is -1", { $0.restart = .always(backoff: BackoffPolicy(maxAttempts: -1)) }),
        ("recycling.maxAge is 0.5 seconds", { $0.recycling = RecyclePolicy(maxAge: .milliseconds(500)) }),
        ("recycling.jitter is 1.5; it must be from 0.0 to 1.0", { $0.recycling = RecyclePolicy(jitter: 1.5) }),
        ("recycling.memoryBytes is 5", { $0.recycling = RecyclePolicy(memoryBytes: 5) }),
        ("output.bytesPerSecond is 0; it must be from 1024", { $0.output.bytesPerSecond = 0 }),
        ("output.burstBytes is 1; it must be from 65536", { $0.output.burstBytes = 1 }),
        ("the text in singleton has 1 to 200 bytes", { $0.singleton = "" }),
        ("an instance's name has 1 to 80 bytes", { $0.id = InstanceID(String(repeating: "x", count: 81)) }),
        ("the limit memoryBytes is 7; it must be from 1048576", { $0.process.limits.memoryBytes = 7 }),
        ("the limit cpuQuota is 0.0; it must be from 0.01", { $0.process.limits.cpuQuota = 0 }),
        ("\"A=B\" cannot be the name of an environment variable", { $0.process.environment["A=B"] = "" }),
        (
            "the variable BIG has 131072 bytes; the system takes 131070 with its name",
            { $0.process.environment["BIG"] = String(repeating: "x", count: 131_072) }
        ),
        (
            "an argument has 131072 bytes; the system takes 131071",
            { $0.process.arguments.append(String(repeating: "x", count: 131_072)) }
        ),
    ]

    @Test(arguments: limits.indices) func `a limit out of range`(index: Int) {
        let (message, change) = Self.limits[index]
        var spec = InstanceSpec.shell("a", "", in: "/", port: .allocate, bootTimeout: .seconds(60))
        #expect(throws: Never.self) { try spec.validate() }
        change(&spec)
        let error = #expect(throws: SupervisorError.self) { try spec.validate() }
        #expect(error?.code == .invalidSpec)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func `at the limits nothing is refused`() throws {
        var spec = InstanceSpec.shell("a", "", in: "/", port: .fixed(65535), bootTimeout: .seconds(86400))
        spec.stop = StopPolicy(signal: 64, grace: .seconds(7 * 86400))
        spec.startup = .notification(descriptor: 255)
        spec.readiness = Self.probe { ($0.initialDelay, $0.successThreshold) = (.seconds(3600), 1000) }
        spec.process.environment["BIG"] = String(repeating: "x", count: 131_067)
        spec.recycling = RecyclePolicy(maxAge: .seconds(1), jitter: 1, memoryBytes: 1 << 20)
        try spec.validate()
    }

    @Test func `a record of a version that knew less is read with the defaults`() throws {
        let old = """
            {"version":1,"isOneOff":false,"phase":"running","startID":"s","bootID":"b","restarts":0,"attempts":0,
            "wasReady":true,"spec":{"id":"a","labels":{},"bootTimeout":[60,0],
            "process":{"arguments":["x"],"environment":{},"workingDirectory":"/","limits":{}},
            "port":{"allocate":{}},"restart":{"never":{}},"stop":{"signal":15,"grace":[30,0]},
            "readiness":{"interval":[5,0],"bootInterval":[1,0],"timeout":[5,0],"successThreshold":1,"failureThreshold":3,
            "check":{"http":{"path":"/","headers":{},"expectedStatus":[200,400]}}}}}
            """
        var expected = InstanceSpec(
            id: "a", process: ProcessSpec(arguments: ["x"], workingDirectory: "/"), port: .allocate,
            readiness: .http(path: "/"), restart: .never)
        expected.readiness?.bootInterval = .seconds(1)
        // Times as the standard library writes them, whatever that looks like.
        let text = [1, 5, 30, 60].reduce(old) { text, count in
            let time = String(decoding: (try? JSONEncoder().encode([Duration.seconds(count)])) ?? Data(), as: UTF8.self)
            return text.replacing("[\(count),0]", with: String(time.dropFirst().dropLast()))
        }
        let record = try JSONDecoder().decode(InstanceRecord.self, from: Data(text.utf8))
        #expect(record.spec == expected)
        let again = try JSONDecoder().decode(InstanceRecord.self, from: JSONEncoder().encode(record))
        #expect(again == record)
    }
}
