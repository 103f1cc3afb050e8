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

/// What programs find in a sandbox, beside what attackers do not (see `IsolationAttackTests`).
@Suite(
    .serialized, .timeLimit(.minutes(1)),
    .enabled("this machine lets nobody make sandboxes") { await TestSandbox.isUsable })
struct SandboxTests {
    /// Runs a script in a sandbox, or in a container of a runtime, and returns what it wrote.
    static func output(
        of script: String, policy: SandboxPolicy = SandboxPolicy(), runtime: OCIRuntime? = nil, user: UserSpec? = nil,
        environment: [String: String] = [:], prepare: (FilePath) throws -> Void = { _ in },
        afterwards: (FilePath) throws -> Void = { _ in }
    ) async throws -> [String] {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            guard mkdir(tree.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
            try prepare(tree)
            let output = RecordingOutputHandler()
            let launcher: any Launcher =
                if let runtime {
                    try OCILauncher(runtime: runtime, policy: policy)
                } else {
                    try SandboxLauncher(policy: policy)
                }
            return try await withSupervisor(in: directory, launcher: launcher, output: output) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell("a", script, in: tree)
                spec.process.user = user
                spec.process.environment.merge(environment) { $1 }
                _ = try await supervisor.start(spec)
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                try afterwards(tree)
                return output.texts(of: "a")
            }
        }
    }

    static func write(_ text: String, to path: FilePath, mode: FilePermissions) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .exclusiveCreate], permissions: mode)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    @Test func `programs work as they are used to`() async throws { try await Self.checkUsualPrograms() }

    static func checkUsualPrograms(runtime: OCIRuntime? = nil, user: UserSpec? = nil) async throws {
        // The last line ends when those have been waited for whose parents have ended before them.
        let script = """
            echo text > /dev/null && cat /dev/null && head -c 4 /dev/urandom | wc -c
            echo one | cat /dev/stdin > /dev/stdout
            echo two > /tmp/file && cat /var/tmp/file
            test -w /dev/shm && test -c /dev/pts/ptmx && echo devices
            ls -d /proc/self/fd /etc/passwd /usr/bin /run
            echo three > $HOME/file && cat $HOME/file
            for i in 1 2 3 4 5; do (true &); done
            while grep -q '^State:.*zombie' /proc/[0-9]*/status 2> /dev/null; do :; done; echo four
            """
        let expected = [
            "4", "one", "two", "devices", "/etc/passwd", "/proc/self/fd", "/run", "/usr/bin", "three", "four",
        ]
        #expect(
            try await Self.output(of: script, runtime: runtime, user: user, environment: ["HOME": "/home/of-its-own"])
                == expected)
    }

    @Test func `a home is an instance's own, and empty at each start`() async throws {
        let environment = ["HOME": "/home/somebody"]
        for _ in 1...2 {
            #expect(
                try await Self.output(of: "ls ~ | wc -l; echo x > ~/file && cat ~/file", environment: environment)
                    == ["0", "x"])
        }
    }

    @Test(.enabled(if: getuid() == 0, "only root can become another user"))
    func `another user reads a tree that is the host's, behind directories that are the host's alone`() async throws {
        let user = UserSpec(uid: 65501, gid: 65501)
        let found = try await Self.output(
            of: "cat file; id -u; true > file || echo kept", policy: SandboxPolicy(treeAccess: .readOnly), user: user
        ) { tree in
            try Self.write("for all\n", to: tree.appending("file"), mode: [.ownerReadWrite, .groupRead, .otherRead])
            // As a platform's directory of data is.
            guard chmod(tree.removingLastComponent().string, 0o700) == 0 else { throw Errno(rawValue: errno) }
        }
        #expect(found.prefix(2) == ["for all", "65501"])
        #expect(found.last == "kept")
    }

    @Test func `shared memory and processes of a language's runtime work`() async throws {
        let script =
            "python3 -c 'import multiprocessing as m; print(m.Pool(2).map(abs, [-1, -2]), m.Lock() is not None)'"
        #expect(try await Self.output(of: script) == ["[1, 2] True"])
    }

    @Test func `a program that is not shown is not found, and that is told`() async throws {
        try await withTemporaryDirectory { directory in
            let program = directory.appending("program")
            try Self.write("#!/bin/sh\necho up\n", to: program, mode: [.ownerReadWriteExecute, .otherReadExecute])
            let launcher = try SandboxLauncher()
            let spec = ProcessSpec(
                arguments: ["program"], environment: ["PATH": directory.string], workingDirectory: "/")
            let error = await #expect(throws: SupervisorError.self) {
                _ = try await launcher.launch(LaunchRequest(id: "a", startID: "a1", process: spec, output: .discard))
            }
            #expect(error?.message.contains("not found in PATH") == true)
        }
    }

    @Test func `what cannot be shown is named in the error, and nothing is left`() async throws {
        let startID = "start\(UInt64.random(in: .min ... .max))"
        let launcher = try SandboxLauncher(policy: SandboxPolicy(binds: [.init("/no/such", at: "/data")]))
        let error = await #expect(throws: SupervisorError.self) {
            _ = try await launcher.launch(
                LaunchRequest(id: "a", startID: startID, process: .shell("true", in: "/"), output: .discard))
        }
        #expect(error?.message.contains("/data, from /no/such") == true)
        #expect(!TestSandbox.exists(of: startID))
    }

    @Test(arguments: [nil, UserSpec(uid: 65501, gid: 65501)])
    func `a probe's command runs in the sandbox of its instance`(user: UserSpec?) async throws {
        if user != nil, getuid() != 0 { return }
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: try SandboxLauncher()) { supervisor in
                // Only there is that file, and only there the shell has such a low number.
                let command = ["sh", "-c", "test -e /tmp/ready && grep -q sleep /proc/2/cmdline"]
                var spec = InstanceSpec.shell(
                    "a", "touch /tmp/ready; exec sleep 1000", in: directory,
                    readiness: Probe(.command(command), interval: .milliseconds(20)))
                spec.process.user = user
                let events = supervisor.events()
                _ = try await supervisor.start(spec)
                let ready = await first(events) { if case .ready = $0 { true } else { false } }
                #expect(ready != nil)
            }
        }
    }

    @Test func `who stops all that is started beside it holds up nobody`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: try SandboxLauncher()) { supervisor in
                let script = """
                    import os, signal
                    open('/tmp/ready', 'w')
                    while True:
                        try: os.kill(-1, signal.SIGSTOP)
                        except OSError: pass
                    """
                let probe = Probe(.command(["true"]), interval: .milliseconds(5), timeout: .milliseconds(200))
                var spec = InstanceSpec.shell("a", "exec python3 -c \"$0\"", in: directory)
                spec.process.arguments.append(script)
                spec.liveness = probe
                spec.restart = .never
                let events = supervisor.events()
                _ = try await supervisor.start(spec)
                // It is ended, because it does not let itself be looked at.
                let end = await first(events) { if case .exited = $0 { true } else { false } }
                #expect(end != nil)
                _ = try await supervisor.start(.shell("b", "exec sleep 1000", in: directory))
            }
        }
    }

    @Test(arguments: [true, false])
    func `nothing of a sandbox is left when its instance is stopped, by this host or the next`(
        isSandboxedNext: Bool
    ) async throws {
        try await withTemporaryDirectory { directory in
            let script = "echo $SLIPWAY_INSTANCE; setsid sleep 1000 & exec sleep 1000"
            let output = RecordingOutputHandler()
            let startIDs = try await withSupervisor(
                in: directory, launcher: try SandboxLauncher(), output: output, onShutdown: .leaveRunning
            ) { supervisor in
                _ = try await supervisor.start(.shell("a", script, in: directory))
                _ = try await supervisor.start(.shell("b", script, in: directory))
                let startIDs = [
                    await output.lines(of: "a") { !$0.isEmpty }[0], await output.lines(of: "b") { !$0.isEmpty }[0],
                ]
                #expect(startIDs.allSatisfy { TestSandbox.exists(of: $0) })
                _ = await supervisor.stop("b")
                return startIDs
            }
            #expect(TestSandbox.exists(of: startIDs[0]))
            let next: any Launcher = isSandboxedNext ? try SandboxLauncher() : HostLauncher()
            try await withSupervisor(in: directory, launcher: next) { supervisor in
                #expect(supervisor.status(of: "a")?.state == .ready)
                _ = await supervisor.stop("a")
            }
            // They are killed, and end by themselves a moment later.
            while startIDs.contains(where: { TestSandbox.exists(of: $0) }) { await Task.yield() }
        }
    }
}
