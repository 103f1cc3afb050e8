import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// The built `procfile-runner`, as somebody at a terminal uses it.
@Suite(.timeLimit(.minutes(1))) struct ProcfileRunnerTests {
    /// Runs it over a Procfile and waits for lines and its end.
    final class Program: Sendable {
        private struct State {
            var text = ""
            var hasEnded = false
            var waiters: [(isMet: @Sendable (String) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
        }
        private final class Shared: Sendable {
            let state = Mutex(State())
            func update(_ change: (inout State) -> Void) {
                let due = self.state.withLock { state in
                    change(&state)
                    let (text, hasEnded) = (state.text, state.hasEnded)
                    let due = state.waiters.filter { hasEnded || $0.isMet(text) }
                    state.waiters.removeAll { hasEnded || $0.isMet(text) }
                    return due
                }
                for waiter in due { waiter.continuation.resume() }
            }
        }
        private let shared = Shared()
        private let process = Process()

        static func path() throws -> String {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            return FilePath(own).removingLastComponent().appending("procfile-runner").string
        }

        init(_ arguments: [String], in directory: FilePath, wrapper: [String] = []) throws {
            let words = wrapper.isEmpty ? [try Self.path()] + arguments : wrapper
            self.process.executableURL = URL(filePath: words[0])
            self.process.arguments = Array(words.dropFirst())
            self.process.currentDirectoryURL = URL(filePath: directory.string)
            self.process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm", "INHERITED": "yes"]
            let output = Pipe()
            self.process.standardOutput = output
            self.process.standardError = output
            self.process.standardInput = FileHandle.nullDevice
            try self.process.run()
            let (shared, process) = (self.shared, self.process)
            Thread.detachNewThread {
                while case let data = output.fileHandleForReading.availableData, !data.isEmpty {
                    shared.update { $0.text += String(decoding: data, as: UTF8.self) }
                }
                process.waitUntilExit()
                shared.update { $0.hasEnded = true }
            }
        }

        /// Everything that it has said, once that meets a condition or it has ended.
        @discardableResult
        func text(until isMet: @escaping @Sendable (String) -> Bool = { _ in false }) async -> String {
            await withCheckedContinuation { continuation in
                self.shared.update { $0.waiters.append((isMet, continuation)) }
            }
            return self.shared.state.withLock { $0.text }
        }

        /// What a process wrote, without the time and the name before it.
        @discardableResult
        func lines(of name: String, until isMet: @escaping @Sendable ([String]) -> Bool = { _ in false }) async
            -> [String]
        {
            let read: @Sendable (String) -> [String] = { text in
                text.split(separator: "\n").compactMap { line in
                    let parts = line.split(separator: "|", maxSplits: 1)
                    guard parts.count == 2, parts[0].split(separator: " ").dropFirst() == [Substring(name)] else {
                        return nil
                    }
                    return String(parts[1].dropFirst())
                }
            }
            return read(await self.text { isMet(read($0)) })
        }

        func signal(_ number: Int32) { kill(self.process.processIdentifier, number) }

        func status() async -> Int32 {
            await self.text()
            return self.process.terminationReason == .exit ? self.process.terminationStatus : -1
        }
    }

    static func withProcfile(
        _ procfile: String, env: String? = nil, _ body: (FilePath) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try Data(procfile.utf8).write(to: URL(filePath: directory.appending("Procfile").string))
            if let env { try Data(env.utf8).write(to: URL(filePath: directory.appending(".env").string)) }
            try await body(directory)
        }
    }

    @Test func `runs the formation with ports and variables, and ends with the first`() async throws {
        let procfile = """
            # A comment
            web: echo "$PORT $PS $GREETING $INHERITED"; exec sleep 1000
            worker: echo "$PORT"; while ! test -e go; do sleep 0.02; done; exit 7
            never: echo never
            """
        try await Self.withProcfile(procfile, env: "export GREETING=\"hello there\"\n") { directory in
            let program = try Program(["-m", "web=2,never=0"], in: directory)
            #expect(await program.lines(of: "web.1") { !$0.isEmpty } == ["5000 web.1 hello there yes"])
            #expect(await program.lines(of: "web.2") { !$0.isEmpty } == ["5001 web.2 hello there yes"])
            #expect(await program.lines(of: "worker.1") { !$0.isEmpty } == ["5100"])
            try Data().write(to: URL(filePath: directory.appending("go").string))
            #expect(await program.status() == 7)
            let text = await program.text()
            #expect(text.contains("worker.1: exit status 7"))
            #expect(!text.contains("never") && !text.contains("\u{1b}"))
            #expect(!FileManager.default.fileExists(atPath: directory.appending(".procfile-runner").string))
        }
    }

    @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func `a signal ends all with theirs, and nobody is left`(signal: Int32, status: Int32) async throws {
        let procfile = """
            web: trap 'echo bye; exit 0' QUIT; echo $$; while :; do sleep 0.02; done
            deaf: trap '' QUIT; echo $$; (setsid sh -c 'trap "" QUIT; echo $$; exec sleep 1000' &); while :; do sleep 1; done
            """
        try await Self.withProcfile(procfile) { directory in
            let program = try Program(["start", "-s", "QUIT", "-t", "1"], in: directory)
            let web = await program.lines(of: "web.1") { !$0.isEmpty }
            let deaf = await program.lines(of: "deaf.1") { $0.count == 2 }
            let pids = (web + deaf).compactMap { Int32($0) }
            #expect(pids.count == 3 && pids.allSatisfy { isAlive($0) })
            program.signal(signal)
            #expect(await program.status() == status)
            #expect(await program.lines(of: "web.1").contains("bye"))
            #expect(!pids.contains { isAlive($0) })
        }
    }

    @Test func `restarts one process and leaves the others alone`() async throws {
        try await Self.withProcfile("web: echo up; exec sleep 1000\nworker: echo up; exec sleep 1000\n") { directory in
            let program = try Program([], in: directory)
            await program.lines(of: "web.1") { $0 == ["up"] }
            await program.lines(of: "worker.1") { $0 == ["up"] }
            #expect(await (try Program(["restart", "web.1"], in: directory)).status() == 0)
            await program.lines(of: "web.1") { $0 == ["up", "up"] }
            #expect(await program.lines(of: "worker.1") { _ in true } == ["up"])
            let unknown = try Program(["restart", "clock"], in: directory)
            #expect(await unknown.status() == 64)
            #expect(await unknown.text().contains("There is no clock in the Procfile; there is web, worker."))
            // A second runner would fight for the same ports.
            let second = try Program([], in: directory)
            #expect(await second.status() == 1)
            program.signal(SIGTERM)
            #expect(await program.status() == 143)
            let nobody = try Program(["restart", "web"], in: directory)
            #expect(await nobody.text().contains("No runner works in"))
        }
    }

    @Test func `what a killed runner left is ended by the next one`() async throws {
        try await Self.withProcfile("web: echo $$; exec sleep 1000\n") { directory in
            let killed = try Program([], in: directory)
            let orphan = await killed.lines(of: "web.1") { !$0.isEmpty }.first.flatMap { Int32($0) }
            killed.signal(SIGKILL)
            _ = await killed.status()
            #expect(isAlive(orphan))
            let next = try Program([], in: directory)
            await next.lines(of: "web.1") { !$0.isEmpty }
            #expect(!isAlive(orphan))
            next.signal(SIGINT)
            #expect(await next.status() == 130)
        }
    }

    @Test func `goes on with the others if told so, and answers with the first failure`() async throws {
        try await Self.withProcfile("a: exit 3\nb: while ! test -e go; do sleep 0.02; done; exit 4\n") { directory in
            let program = try Program(["--keep-going"], in: directory)
            await program.text { $0.contains("a.1: exit status 3") }
            try Data().write(to: URL(filePath: directory.appending("go").string))
            #expect(await program.status() == 3)
            #expect(await program.text().contains("b.1: exit status 4"))
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "script makes the terminal"))
    func `colours are for terminals`() async throws {
        try await Self.withProcfile("web: echo hello\n") { directory in
            let script = try Program.path()
            let program = try Program(
                [], in: directory, wrapper: ["/usr/bin/script", "-q", "-e", "-c", script, "/dev/null"])
            #expect(await program.text().contains("\u{1b}[31m"))
        }
    }

    @Test func `who stops reading ends all`() async throws {
        try await Self.withProcfile("web: while :; do echo $$; sleep 0.02; done\n") { directory in
            let program = try Program(
                [], in: directory, wrapper: ["/bin/sh", "-c", "\(try Program.path()) | head -n 1"])
            let text = await program.text()
            let pid = try #require(text.split(whereSeparator: \.isWhitespace).last.flatMap { Int32($0) }, "\(text)")
            #expect(!isAlive(pid))
        }
    }

    @Test func `explains itself, and what is wrong`() async throws {
        let help = try Program(["--help"], in: "/")
        #expect(await help.status() == 0)
        #expect(await help.text().contains("USAGE: procfile-runner"))
        for (procfile, arguments, message) in [
            ("web echo\n", [], "Procfile, line 1: \"web echo\" is not NAME: COMMAND."),
            ("web: a\n\nweb: b\n", [], "Procfile, line 3: there is a second web."),
            ("", [], "The Procfile names no process."),
            ("web: a\n", ["-m", "wob=1"], "There is no wob in the Procfile; there is web."),
            ("web: a\n", ["-m", "web=x"], "\"web=x\" is not TYPE=N"),
            ("web: a\n", ["-e", "none"], "There is no none in"),
            ("web: a\n", ["-p", "0"], "A port is from 1 to 65535."),
            ("web: a\n", ["-s", "KILL"], "KILL is not one of the signals."),
        ] as [(String, [String], String)] {
            try await Self.withProcfile(procfile) { directory in
                let program = try Program(arguments, in: directory)
                #expect(await program.text().contains(message))
                #expect(await program.status() == 64)
            }
        }
    }
}
