import ProcessSupervisorTesting
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

/// What an instance changes in its tree is its own, and gone with it.
@Suite(
    .serialized, .timeLimit(.minutes(1)),
    .enabled("this machine lets nobody make sandboxes") { await TestSandbox.isUsable })
struct LayerTests {
    /// Who may be in a sandbox: the host's user, and, for a host that is root, another.
    static var users: [UserSpec?] { getuid() == 0 ? [nil, UserSpec(uid: 65501, gid: 65501)] : [nil] }

    /// As slugs are: the host's, with a directory in it.
    static func prepare(_ tree: FilePath) throws {
        guard mkdir(tree.appending("directory").string, 0o755) == 0 else { throw Errno(rawValue: errno) }
        try SandboxTests.write("one\n", to: tree.appending("file"), mode: [.ownerReadWrite, .groupRead, .otherRead])
        // For its owner alone, which the instance is in its sandbox, whoever else it is.
        try SandboxTests.write("two\n", to: tree.appending("directory/private"), mode: .ownerReadWrite)
    }

    static func expectUnchanged(_ tree: FilePath) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: tree.string).sorted()
        #expect(names == ["directory", "file"])
        #expect(try String(contentsOfFile: tree.appending("file").string, encoding: .utf8) == "one\n")
        #expect(
            try String(contentsOfFile: tree.appending("directory/private").string, encoding: .utf8) == "two\n")
    }

    static let changes = """
        cat directory/private
        echo new >> file && cat file | tr '\\n' ' ' && echo
        mv directory renamed && ls renamed
        mkdir directory && ls directory | wc -l
        ln file link && echo more >> link && tail -n 1 file
        chmod 700 file && stat -c %a file
        rm -r renamed && ls
        cp /bin/true program && ./program && echo executed
        ln -s file symbolic && readlink symbolic
        """
    static let changed = [
        "two", "one new ", "private", "0", "more", "700", "directory", "file", "link", "executed", "file",
    ]

    @Test(arguments: Self.users)
    func `a tree can be changed in every way, and stays as it was`(user: UserSpec?) async throws {
        let found = try await SandboxTests.output(
            of: Self.changes, user: user, prepare: Self.prepare, afterwards: Self.expectUnchanged)
        #expect(found == Self.changed)
    }

    @Test(arguments: Self.users)
    func `a database beside the sources works`(user: UserSpec?) async throws {
        let program = """
            import sqlite3
            for _ in range(2):
                base = sqlite3.connect('base.db')
                base.execute('pragma journal_mode=wal')
                base.execute('create table if not exists visit (at)')
                base.execute('insert into visit values (1)')
                base.commit()
            print(base.execute('select count(*) from visit').fetchone()[0])
            """
        let found = try await SandboxTests.output(
            of: "/usr/bin/python3 -c \"\(program)\"", user: user, prepare: Self.prepare,
            afterwards: Self.expectUnchanged)
        #expect(found == ["2"])
    }

    @Test func `a full layer is full for its instance alone`() async throws {
        let script = """
            head -c 8000000 /dev/zero 2>&1 > big | grep -o 'No space left on device'
            rm big && echo again > small && cat small
            echo elsewhere > /tmp/file && cat /tmp/file
            """
        let found = try await SandboxTests.output(
            of: script, policy: SandboxPolicy(treeAccess: .privateLayer(bytes: 1 << 20)), prepare: Self.prepare,
            afterwards: Self.expectUnchanged)
        #expect(found == ["No space left on device", "again", "elsewhere"])
    }

    @Test(arguments: Self.users)
    func `instances of one tree do not see each other's changes, and those beside an instance see its own`(
        user: UserSpec?
    ) async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, launcher: try SandboxLauncher(), output: output) { supervisor in
                let tree = directory.appending("tree")
                guard mkdir(tree.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
                let events = supervisor.events()
                for name in ["a", "b"] {
                    let id = InstanceID(name)
                    var spec = InstanceSpec.shell(
                        id, "echo \(name) > mine; ls | wc -l; exec sleep 1000", in: tree,
                        readiness: Probe(.command(["grep", "-q", name, "mine"]), interval: .milliseconds(20)))
                    spec.process.user = user
                    _ = try await supervisor.start(spec)
                    #expect(await output.lines(of: id) { !$0.isEmpty } == ["1"])
                    let ready = await first(events) { if case .ready = $0 { true } else { false } }
                    #expect(ready != nil)
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: tree.string).isEmpty)
            }
        }
    }

    @Test func `the next host finds the layer of an instance that it takes over`() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            guard mkdir(tree.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
            try await withSupervisor(in: directory, launcher: try SandboxLauncher(), onShutdown: .leaveRunning) {
                supervisor in
                var spec = InstanceSpec.shell("a", "touch mine; exec sleep 1000", in: tree)
                spec.readiness = Probe(.command(["test", "-e", "mine"]), interval: .milliseconds(20))
                let events = supervisor.events()
                _ = try await supervisor.start(spec)
                _ = await first(events) { if case .ready = $0 { true } else { false } }
            }
            try await withSupervisor(in: directory, launcher: try SandboxLauncher()) { supervisor in
                // What asks again is started by this host.
                try await supervisor.waitUntilReady("a")
                _ = await supervisor.stop("a")
            }
        }
    }

    @Test func `what leads to a toolchain that is not shown is an error that names it, and works when it is shown`()
        async throws
    {
        try await withTemporaryDirectory { directory in
            let toolchain = directory.appending("toolchain")
            let bin = directory.appending("tree/bin")
            for path in [toolchain.appending("bin"), bin] {
                try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
            }
            let interpreter = toolchain.appending("bin/shell")
            try SandboxTests.write(
                "#!/bin/sh\nexec /bin/sh \"$@\"\n", to: interpreter, mode: [.ownerReadWriteExecute, .otherReadExecute])
            try SandboxTests.write(
                "#!\(interpreter)\necho up\n", to: bin.appending("web"),
                mode: [.ownerReadWriteExecute, .otherReadExecute])
            let process = ProcessSpec(arguments: ["bin/web"], workingDirectory: directory.appending("tree").string)
            let request = LaunchRequest(id: "a", startID: "a1", process: process, output: .discard)
            let error = await #expect(throws: SupervisorError.self) {
                _ = try await SandboxLauncher().launch(request)
            }
            #expect(error?.message.contains("bin/web leads to \(interpreter)") == true)
            #expect(error?.message.contains("--show \(toolchain)") == true)
            let launched = try await SandboxLauncher(policy: SandboxPolicy(binds: [.init(toolchain)])).launch(request)
            #expect(await launched.handle.waitForExit() == .exited(0))
            await launched.handle.killTree()
            launched.handle.release()
        }
    }
}
