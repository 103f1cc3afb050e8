import ProcessSupervisor
import Synchronization
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(.timeLimit(.minutes(1))) struct OneOffTerminalTests {
    /// What a one-off wrote, and a way to wait for it.
    private final class Screen: Sendable {
        let text = Mutex("")
        let changes: AsyncStream<Void>
        private let change: AsyncStream<Void>.Continuation
        init() { (self.changes, self.change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }
        func show(_ bytes: [UInt8]) {
            self.text.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
            self.change.yield()
        }
        func wait(for part: String) async {
            while !self.text.withLock({ $0.contains(part) }) { for await _ in self.changes { break } }
        }
    }

    @Test func `a terminal controls the session, has a size that changes, and passes Ctrl-C on`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let screen = Screen()
                let (keys, type) = AsyncStream.makeStream(of: [UInt8].self)
                let (sizes, resize) = AsyncStream.makeStream(of: TerminalSize.self)
                let script = """
                    stty size; tty; test -t 2 && echo all three
                    trap 'stty size' WINCH; trap 'echo interrupted; exit 130' INT
                    echo resize me; while :; do sleep 0.05; done </dev/tty
                    """
                async let status = supervisor.runOneOff(
                    .shell(script, in: directory), id: "one",
                    terminal: OneOffTerminal(size: TerminalSize(columns: 101, rows: 31), resizes: sizes),
                    output: { screen.show($0) }, input: keys)
                await screen.wait(for: "resize me")
                #expect(screen.text.withLock { $0.hasPrefix("31 101\r\n/dev/pts/") && $0.contains("all three") })
                resize.yield(TerminalSize(columns: 120, rows: 40))
                await screen.wait(for: "40 120")
                type.yield([3])
                let end = try await status
                #expect(end == .exited(130))
                #expect(screen.text.withLock { $0.contains("interrupted") })
            }
        }
    }

    @Test(.enabled("this machine lets nobody make sandboxes") { await Isolation.probe()[.sandbox] == .works })
    func `a terminal has a name in a sandbox`() async throws {
        try await Self.checkName(by: try SandboxLauncher())
    }

    @Test(.enabled("no runc makes containers here (package runc)") { await TestContainers.areUsable })
    func `a terminal has a name in a container`() async throws {
        try await TestContainers.with { try await Self.checkName(by: try OCILauncher(runtime: $0)) }
    }

    private static func checkName(by launcher: any Launcher) async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                let screen = Screen()
                let status = try await supervisor.runOneOff(
                    .shell("tty && echo x > $(tty)", in: directory), id: "one",
                    terminal: OneOffTerminal(size: TerminalSize(columns: 80, rows: 24)), output: { screen.show($0) })
                #expect(status == .exited(0))
                #expect(screen.text.withLock { $0 } == "/dev/console\r\nx\r\n")
            }
        }
    }

    @Test(
        .enabled(if: getuid() == 0, "only root can become another user"),
        arguments: [nil, OneOffTerminal(size: TerminalSize(columns: 80, rows: 24))])
    func `what it reads from and writes to is its user's, by name as well`(terminal: OneOffTerminal?) async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let (keys, type) = AsyncStream.makeStream(of: [UInt8].self)
                type.yield(Array("a line\n".utf8))
                type.finish()
                let screen = Screen()
                var process = ProcessSpec.shell("read line < /dev/stdin; echo got $line > /dev/stdout", in: "/")
                process.user = UserSpec(uid: 65501, gid: 65501)
                let status = try await supervisor.runOneOff(
                    process, id: "one", terminal: terminal, output: { screen.show($0) }, input: keys)
                #expect(status == .exited(0))
                #expect(screen.text.withLock { $0.contains("got a line") }, "\(screen.text.withLock { $0 })")
            }
        }
    }

    @Test func `the end of the input is Ctrl-D at a terminal`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let (keys, type) = AsyncStream.makeStream(of: [UInt8].self)
                type.yield(Array("a line\n".utf8))
                type.finish()
                let screen = Screen()
                let status = try await supervisor.runOneOff(
                    .shell("stty -echo; cat; echo end", in: directory), id: "one",
                    terminal: OneOffTerminal(size: TerminalSize(columns: 80, rows: 24)),
                    output: { screen.show($0) }, input: keys)
                #expect(status == .exited(0))
                #expect(screen.text.withLock { $0.hasSuffix("a line\r\nend\r\n") })
            }
        }
    }

    @Test func `a reader that takes its time slows the process down, and nothing is lost`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let count = Mutex(0)
                let progress = directory.appending("progress")
                let status = try await supervisor.runOneOff(
                    .shell("head -c 20000000 /dev/zero; echo done >progress", in: directory), id: "one",
                    output: { bytes in
                        let read = count.withLock { count in
                            count += bytes.count
                            return count
                        }
                        // What the kernel holds is all that the program can be ahead.
                        guard read < 15_000_000 else { return }
                        await Task.yield()
                        #expect(throws: Errno.noSuchFileOrDirectory) { try FileDescriptor.open(progress, .readOnly) }
                    })
                #expect(status == .exited(0))
                #expect(count.withLock { $0 } == 20_000_000)
            }
        }
    }

    @Test func `a reader that throws ends the process`() async throws {
        struct Gone: Error {}
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let error = await #expect(throws: SupervisorError.self) {
                    try await supervisor.runOneOff(
                        .shell("echo up; exec sleep 1000", in: directory), id: "one", output: { _ in throw Gone() })
                }
                #expect(error?.code == .cancelled)
            }
        }
    }
}
