import Dispatch
import ProcessSupervisorTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A listener on a free port of 127.0.0.1 that answers every connection with the same bytes, or keeps silent.
final class CannedServer: Sendable {
    let port: Int
    private let listener: Int32
    private let answer = Mutex<String?>(nil)
    private let questions = AsyncStream<Void>.makeStream()

    /// Returns when it has been asked so many times more. For one task.
    func asked(times: Int) async {
        var iterator = self.questions.stream.makeAsyncIterator()
        for _ in 0..<times { await iterator.next() }
    }

    /// - Parameter isListening: whether it takes connections at once; otherwise from ``listen()`` on.
    init(answering answer: String?, isListening: Bool = true) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let outcome = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && getsockname(listener, pointer, &length) == 0
            }
        }
        try #require(outcome)
        self.listener = listener
        self.port = Int(UInt16(bigEndian: address.sin_port))
        self.set(answer)
        if isListening { self.listen() }
    }

    func listen() {
        #if canImport(Musl)
            Musl.listen(self.listener, 16)
        #else
            Glibc.listen(self.listener, 16)
        #endif
        // A thread of its own, which ends with the listener.
        DispatchQueue(label: "canned").async { self.serve() }
    }

    func set(_ answer: String?) { self.answer.withLock { $0 = answer } }

    /// Nobody can connect any more. The thread closes the listener: its number must not be another's while it accepts.
    func stop() { shutdown(self.listener, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let connection = accept(self.listener, nil, nil)
            if connection < 0 {
                close(self.listener)
                return
            }
            var bytes = [UInt8](repeating: 0, count: 4096)
            _ = recv(connection, &bytes, bytes.count, 0)
            self.questions.continuation.yield()
            if let answer = self.answer.withLock({ $0 }) {
                _ = send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }  // silent: the connection stays open until the process ends
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    static func ask(_ probe: Probe, port: Int?, clock: any Clock<Duration> = ContinuousClock()) async -> ProbeReport {
        let prober = Prober(probe: probe, port: port, clock: clock) { (_) async throws(SupervisorError) -> ExitStatus in
            .exited(0)
        }
        return await prober.ask()
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, "GET /up answered 200"),
        ("HTTP/1.1 302 Found\r\n\r\n", true, "GET /up answered 302"),
        (
            "HTTP/1.0 500 Internal Server Error\r\nContent-Length: 16\r\n\r\ndatabase is down", false,
            "GET /up answered 500: database is down"
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nno peer\n\r\n0\r\n\r\n", false,
            "GET /up answered 502: no peer"
        ),
        ("SSH-2.0-OpenSSH\r\n", false, "GET /up: what came back is not HTTP"),
        ("", false, "GET /up: what came back is not HTTP"),
    ])
    func `says what was answered`(answer: String, succeeded: Bool, detail: String) async throws {
        let server = try CannedServer(answering: answer)
        defer { server.stop() }
        #expect(
            await Self.ask(.http(path: "/up"), port: server.port) == ProbeReport(succeeded: succeeded, detail: detail))
    }

    @Test func `wants the status, the text, or both`() async throws {
        let server = try CannedServer(
            answering: "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n")
        defer { server.stop() }
        func ask(_ status: StatusSet, _ text: String?) async -> ProbeReport {
            await Self.ask(.http(path: "/up", expectedStatus: status, bodyContains: text), port: server.port)
        }
        #expect(await ask([204], "well") == ProbeReport(succeeded: true, detail: "GET /up answered 204"))
        #expect(await ask([200], "well") == ProbeReport(succeeded: false, detail: "GET /up answered 204: well"))
        #expect(
            await ask([200, 204], "ill")
                == ProbeReport(succeeded: false, detail: "GET /up answered 204, without \"ill\""))
    }

    @Test func `says that nobody listens`() async throws {
        let server = try CannedServer(answering: "")
        server.stop()
        let report = await Self.ask(.tcp, port: server.port)
        #expect(report == ProbeReport(succeeded: false, detail: "connection refused on port \(server.port)"))
    }

    @Test func `gives up by the clock on who keeps silent`() async throws {
        let server = try CannedServer(answering: nil)
        defer { server.stop() }
        let clock = ManualClock()
        let report = Task { await Self.ask(.http(path: "/up"), port: server.port, clock: clock) }
        await clock.sleepers(atLeast: 1)
        clock.advance(by: .seconds(5))
        #expect(await report.value == ProbeReport(succeeded: false, detail: "GET /up did not answer within 5 s"))
    }

    @Test func `asks after its initial delay, at its intervals, and as often as it takes`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            // The first process is the instance, the others are its probe's commands.
            let launcher = ScriptedLauncher(clock: clock) { _, number in number == 1 ? .runs : .exits(.exited(0)) }
            try await withSupervisor(in: directory, launcher: launcher, clock: clock) { supervisor in
                var spec = ScriptedTests.spec("a")
                spec.readiness = .command(["probe"])
                spec.readiness?.initialDelay = .seconds(5)
                spec.readiness?.successThreshold = 3
                _ = try await supervisor.start(spec)
                // The boot timeout and the delay.
                await clock.sleepers(atLeast: 2)
                clock.advance(by: .milliseconds(4999))
                #expect(launcher.processes(of: "a").count == 1)
                clock.advance(by: .milliseconds(1))
                for (number, pause) in [(2, 10), (3, 20)] {
                    _ = await launcher.process(number, of: "a")
                    while supervisor.status(of: "a")?.lastProbe == nil { await Task.yield() }
                    // The boot timeout and the pause; that of the probe itself is over.
                    await clock.sleepers(atLeast: 2)
                    while launcher.processes(of: "a").count == number {
                        clock.advance(by: .milliseconds(pause))
                        await Task.yield()
                    }
                    // The third may have been answered by now.
                    if number == 2 { #expect(supervisor.status(of: "a")?.state == .starting) }
                }
                try await supervisor.waitUntilReady("a")
                #expect(launcher.processes(of: "a").count == 4)
            }
        }
    }

    @Test func `an instance is ready when it listens, unready when it fails, and ready again`() async throws {
        try await withTemporaryDirectory { directory in
            let server = try CannedServer(answering: "HTTP/1.1 503 Booting\r\n\r\n", isListening: false)
            defer { server.stop() }
            try await withSupervisor(in: directory, launcher: ScriptedLauncher()) { supervisor in
                let events = supervisor.events()
                var probe = Probe.http(path: "/up", interval: .milliseconds(20), failureThreshold: 2)
                probe.bootInterval = .milliseconds(20)
                let status = try await supervisor.start(
                    .shell("a", "", in: directory, port: .fixed(server.port), readiness: probe))
                #expect(status.port == server.port)
                server.listen()
                // It asks again when it has noted the first answer.
                await server.asked(times: 2)
                #expect(supervisor.status(of: "a")?.lastProbe != nil)
                #expect(supervisor.status(of: "a")?.state == .starting)
                server.set("HTTP/1.1 200 OK\r\n\r\n")
                try await supervisor.waitUntilReady("a")
                server.set("HTTP/1.1 500 Oops\r\n\r\n")
                let unready = await first(events) { if case .unready = $0 { true } else { false } }
                #expect(unready?.cause.description == "GET /up answered 500")
                server.set("HTTP/1.1 200 OK\r\n\r\n")
                try await supervisor.waitUntilReady("a")
                #expect(supervisor.status(of: "a")?.state == .ready)
            }
        }
    }
}

/// Orphans are collected, and the children of other code are not.
@Suite(.timeLimit(.minutes(1))) struct OrphanTests {
    @Test func `collects its own orphans and nobody else's children`() async throws {
        try await withTemporaryDirectory { directory in
            let launcher = HostLauncher()
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, launcher: launcher, output: output) { supervisor in
                // A child of other code in this process, ended and not waited for yet.
                var foreign: pid_t = 0
                try #require(posix_spawn(&foreign, "/bin/true", nil, nil, [strdup("true"), nil], nil) == 0)

                _ = try await supervisor.start(
                    .shell(
                        "a", "(setsid env -i /bin/sh -c 'echo $$' &); echo done; exec sleep 1000",
                        in: directory))
                // Whoever stood between the two has been waited for by then.
                let lines = await output.lines(of: "a") { $0.count == 2 }
                let orphan = try #require(lines.compactMap { Int32($0) }.first)
                for pid in [foreign, orphan] { await waitForEnd(of: pid) }
                await launcher.sweep()
                #expect(Procfs.process(orphan) == nil)
                var status: Int32 = -1
                #expect(waitpid(foreign, &status, WNOHANG) == foreign)
            }
        }
    }

    /// A process that is born with an instance's brand and ends at once: a probe's command, say, which the registry is told of only
    /// when its start has returned.
    @Test func `who ends before its start is known is left to whoever started it, and collected if nobody did`()
        async throws
    {
        let launcher = HostLauncher(configuration: .init(adoptsOrphans: false))
        let registry = OrphanRegistry()
        let instance = "orphans\(UInt64.random(in: 0 ... .max))"
        // A leader that no process is.
        registry.add(ProcessTree(leader: .max, leaderStart: 0, startID: instance))
        func born(_ startID: String) async throws -> LaunchedProcess {
            let process = ProcessSpec(arguments: ["/bin/true"], workingDirectory: "/")
            let launched = try await launcher.launch(
                LaunchRequest(id: "probe", startID: startID, process: process, output: .discard))
            _ = await launched.handle.waitForExit()
            return launched
        }
        let starting = "\(instance).1"
        registry.beginBirth(of: starting)
        let newborn = try await born(starting)
        registry.sweep()
        #expect(Procfs.process(newborn.pid) != nil, "between its birth and its being known")
        let tree = ProcessTree(leader: newborn.pid, leaderStart: newborn.startTime, startID: starting)
        registry.add(tree)
        registry.endBirth(of: starting)
        registry.sweep()
        #expect(Procfs.process(newborn.pid) != nil, "once it is known")
        // Of two that are born at a time, the end of the one birth is not that of the other.
        for _ in 1...2 { registry.beginBirth(of: starting) }
        registry.endBirth(of: starting)
        registry.remove(tree)
        registry.sweep()
        #expect(Procfs.process(newborn.pid) != nil, "while another is born")
        registry.endBirth(of: starting)
        registry.sweep()
        #expect(Procfs.process(newborn.pid) == nil, "when nobody waits for it")
        newborn.handle.release()
    }
}
