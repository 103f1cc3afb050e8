import ProcessSupervisor
import ProcessSupervisorTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Real processes that misbehave in the ways that real processes do.
@Suite(.timeLimit(.minutes(1))) struct ProcessTests {
    @Test func `gives a process its environment, directory, port and nothing else`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell(
                    "a", "echo \"$GREETING|$PORT|$PWD|$HOME\"; echo error >&2; echo last; exec sleep 1000",
                    in: directory,
                    port: .allocate)
                spec.process.environment["GREETING"] = "hello"
                let status = try await supervisor.start(spec)
                let lines = await output.lines(of: "a") { $0.count == 3 }
                let port = try #require(status.port)
                #expect(lines == ["hello|\(port)|\(directory)|", "error", "last"])
                #expect((20000...29999).contains(port))
            }
        }
    }

    @Test func `says why a program cannot be executed`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                var spec = InstanceSpec.shell("a", "", in: directory)
                for (arguments, expected) in [
                    (["no-such-program"], "not found in PATH (/usr/local/bin:/usr/bin:/bin)"),
                    (["./missing"], "No such file or directory"), (["/etc/passwd"], "Permission denied"),
                ] {
                    spec.process.arguments = arguments
                    let error = await #expect(throws: SupervisorError.self) { try await supervisor.start(spec) }
                    #expect(error?.code == .launchFailed)
                    #expect(error?.message.contains("cannot execute \(arguments[0])") == true)
                    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
                }
            }
        }
    }

    @Test func `reports a crash at once with status and last lines`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let spec = InstanceSpec.shell(
                    "a", "echo no database; printf unfinished >&2; exit 3", in: directory, port: .allocate,
                    readiness: .tcp)
                _ = try await supervisor.start(spec)
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.waitUntilReady("a") }
                #expect(error?.code == .bootFailed)
                #expect(error?.exit == .exited(3))
                #expect(error?.lastLines == ["no database", "unfinished"])
                #expect(error?.message.contains("exit status 3") == true)
                #expect(supervisor.status(of: "a")?.state == .failed)
            }
        }
    }

    @Test func `names the last answer when nothing listens in time`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                _ = try await supervisor.start(
                    .shell(
                        "a", "exec sleep 1000", in: directory, port: .allocate, readiness: .http(path: "/up"),
                        bootTimeout: .seconds(5)))
                let error = await #expect(throws: SupervisorError.self) { try await supervisor.waitUntilReady("a") }
                #expect(error?.code == .bootFailed)
                #expect(error?.message.contains("not ready within 5 s") == true)
                #expect(error?.probe?.detail.contains("connection refused") == true)
            }
        }
    }

    @Test func `a command tells when it is ready`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                _ = try await supervisor.start(
                    .shell(
                        "a", "sleep 0.5; touch ready; exec sleep 1000", in: directory,
                        readiness: .command(["test", "-e", "ready"])))
                try await supervisor.waitUntilReady("a")
                #expect(supervisor.status(of: "a")?.state == .ready)
            }
        }
    }

    @Test func `stops what ignores its signal`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                let status = try await supervisor.start(
                    .shell(
                        "a", "trap '' TERM; echo deaf; while :; do sleep 0.1; done", in: directory,
                        grace: .milliseconds(300)))
                await output.lines(of: "a") { $0.contains("deaf") }
                #expect(await supervisor.stop("a") == .signalled(9))
                #expect(!isAlive(status.pid))
            }
        }
    }

    @Test func `lets a process end in its own way`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                _ = try await supervisor.start(
                    .shell(
                        "a", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done", in: directory))
                await output.lines(of: "a") { $0.contains("up") }
                #expect(await supervisor.stop("a") == .exited(7))
                // Its own child got the signal, too, and a shell may have a word for that.
                #expect(output.texts(of: "a").first == "up")
                #expect(output.texts(of: "a").last == "bye")
            }
        }
    }

    @Test func `stops descendants that went into sessions of their own`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                // Twice forked, own session, parent gone, deaf: a daemon by the book.
                let daemon = "trap \"\" TERM; echo daemon $$; while :; do sleep 0.1; done"
                _ = try await supervisor.start(
                    .shell(
                        "a",
                        "(setsid env -i /bin/sh -c '\(daemon)' &) ; (sh -c 'echo child $$; exec sleep 1000' &) ; exec sleep 1000",
                        in: directory, grace: .milliseconds(300)))
                let lines = await output.lines(of: "a") { $0.count == 2 }
                let pids = lines.compactMap { $0.split(separator: " ").last.flatMap { Int32($0) } }
                #expect(pids.count == 2)
                #expect(pids.allSatisfy { isAlive($0) })
                _ = await supervisor.stop("a")
                #expect(!pids.contains { isAlive($0) })
            }
        }
    }

    @Test func `a crash takes its descendants along`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                let events = supervisor.events()
                _ = try await supervisor.start(
                    .shell("a", "setsid sh -c 'echo $$; exec sleep 1000' & read x < fifo; exit 1", in: directory))
                let end = await first(events) { if case .exited = $0 { true } else { false } }
                #expect(end?.kind == .exited(.exited(1), willRestartAfter: nil))
                for line in output.texts(of: "a") {
                    if let pid = Int32(line) { #expect(!isAlive(pid)) }
                }
            }
        }
    }

    @Test func `a flood is slowed down, cut in lines, and loses nothing`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                let events = supervisor.events()
                _ = try await supervisor.start(
                    .shell("a", "head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 1 50000", in: directory))
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                let lines = output.lines(of: "a")
                let long = lines.prefix { $0.text.first == "x" }
                #expect(long.reduce(0) { $0 + $1.text.utf8.count } == 3_000_000)
                #expect(long.dropLast().allSatisfy { $0.isPartial && $0.text.utf8.count == 10_000 })
                #expect(lines.dropFirst(long.count).map(\.text).filter { !$0.isEmpty } == (1...50000).map { "\($0)" })
            }
        }
    }

    @Test func `shows a line whose end does not come`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                _ = try await supervisor.start(.shell("a", "printf 'Password: '; exec sleep 1000", in: directory))
                await output.lines(of: "a") { $0.contains("Password: ") }
                #expect(output.lines(of: "a").first?.isPartial == true)
            }
        }
    }

    @Test(.enabled(if: getuid() == 0, "only root can become another user"))
    func `becomes another user who can open his own output`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell(
                    "a", "id -u; id -G; echo by name > /dev/stdout; exec sleep 1000", in: "/")
                spec.process.user = UserSpec(uid: 65534, gid: 65533)
                _ = try await supervisor.start(spec)
                #expect(await output.lines(of: "a") { $0.count == 3 } == ["65534", "65533", "by name"])
            }
        }
    }

    @Test func `turns core dumps off and limits open files`() async throws {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell("a", "ulimit -c; ulimit -n; ulimit -d; exec sleep 1000", in: directory)
                spec.process.limits = ResourceLimits(memoryBytes: 512 << 20, maxOpenFiles: 99)
                _ = try await supervisor.start(spec)
                #expect(await output.lines(of: "a") { $0.count == 3 } == ["0", "99", "524288"])
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct OneOffTests {
    /// What a one-off wrote.
    final class Bytes: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        func append(_ more: [UInt8]) { self.bytes.withLock { $0 += more } }
        var text: String { String(decoding: self.bytes.withLock { $0 }, as: UTF8.self) }
    }

    @Test func `hands out all output in order and the status`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let bytes = Bytes()
                let status = try await supervisor.runOneOff(
                    .shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf end; exit 5", in: directory),
                    id: "one", output: { bytes.append($0) })
                #expect(status == .exited(5))
                #expect(bytes.text == "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nend")
            }
        }
    }

    @Test func `feeds standard input`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let bytes = Bytes()
                let (input, feed) = AsyncStream.makeStream(of: [UInt8].self)
                let large = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
                feed.yield(Array("hello\n".utf8))
                feed.yield(large)
                feed.finish()
                let status = try await supervisor.runOneOff(
                    .shell("read line; echo $line; wc -c", in: directory), id: "one", output: { bytes.append($0) },
                    input: input)
                #expect(status == .exited(0))
                #expect(bytes.text.split(whereSeparator: \.isWhitespace) == ["hello", "300000"])
            }
        }
    }

    @Test func `hears grandchildren out, but no daemon for ever`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let bytes = Bytes()
                let script =
                    "(sleep 0.3; echo late) & (setsid sh -c 'echo $$; exec sleep 1000' &) ; sleep 0.1; echo first"
                let status = try await supervisor.runOneOff(
                    .shell(script, in: directory), id: "one", output: { bytes.append($0) })
                #expect(status == .exited(0))
                let lines = bytes.text.split(separator: "\n")
                #expect(lines.contains("late"))
                let daemon = try #require(lines.compactMap { Int32($0) }.first)
                #expect(!isAlive(daemon))
            }
        }
    }

    @Test func `a timeout ends the whole tree`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let bytes = Bytes()
                let error = await #expect(throws: SupervisorError.self) {
                    try await supervisor.runOneOff(
                        .shell("sh -c 'echo $$; exec sleep 1000' & wait", in: directory), id: "one",
                        timeout: .milliseconds(500), output: { bytes.append($0) })
                }
                #expect(error?.code == .timedOut)
                let child = try #require(Int32(bytes.text.split(separator: "\n").first ?? ""))
                #expect(!isAlive(child))
            }
        }
    }

    @Test func `cancellation ends the whole tree`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let (lines, feed) = AsyncStream.makeStream(of: String.self)
                let task = Task {
                    try await supervisor.runOneOff(
                        .shell("trap 'echo ended; exit 0' TERM; echo up; while :; do sleep 0.05; done", in: directory),
                        id: "one", output: { feed.yield(String(decoding: $0, as: UTF8.self)) })
                }
                var iterator = lines.makeAsyncIterator()
                #expect(await iterator.next() == "up\n")
                task.cancel()
                let error = await #expect(throws: SupervisorError.self) { try await task.value }
                #expect(error?.code == .cancelled)
                #expect(error?.exit == .exited(0))
                feed.finish()
                var rest = ""
                while let text = await iterator.next() { rest += text }
                #expect(rest.hasSuffix("ended\n"), "all output is there, up to the last word")
            }
        }
    }
}
