import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Instances that come up late, answer slowly, or are gone when they are wanted.
@Suite(.timeLimit(.minutes(1))) struct MisbehaviourTests {
    @Test func `who listens late is waited for`() async throws {
        try await withTemporaryDirectory { directory in
            let server = try CannedServer(answering: "HTTP/1.1 200 OK\r\n\r\n", isListening: false)
            defer { server.stop() }
            try await withSupervisor(in: directory) { supervisor in
                _ = try await supervisor.start(
                    .shell(
                        "a", "exec sleep 1000", in: directory, port: .fixed(server.port), readiness: .http(path: "/")))
                while supervisor.status(of: "a")?.lastProbe == nil { await Task.yield() }
                #expect(
                    supervisor.status(of: "a")?.lastProbe?.detail == "connection refused on port \(server.port)")
                server.listen()
                try await supervisor.waitUntilReady("a")
            }
        }
    }

    @Test func `who answers slowly is taken out of service, not restarted, and taken back`() async throws {
        try await withTemporaryDirectory { directory in
            let server = try CannedServer(answering: "HTTP/1.1 200 OK\r\n\r\n", isListening: false)
            defer { server.stop() }
            try await withSupervisor(in: directory) { supervisor in
                let events = supervisor.events()
                let probe = Probe.http(
                    path: "/", interval: .milliseconds(10), timeout: .milliseconds(200), failureThreshold: 2)
                let status = try await supervisor.start(
                    .shell(
                        "a", "exec sleep 1000", in: directory, port: .fixed(server.port), readiness: probe,
                        restart: .always(backoff: BackoffPolicy())))
                server.listen()
                try await supervisor.waitUntilReady("a")
                server.set(nil)
                let unready = await first(events) { $0 == .unready }
                #expect(unready?.cause.description == "GET / did not answer within 0.2 s")
                #expect(supervisor.status(of: "a")?.state == .unready)
                server.set("HTTP/1.1 200 OK\r\n\r\n")
                try await supervisor.waitUntilReady("a")
                #expect(supervisor.status(of: "a")?.pid == status.pid)
                #expect(supervisor.status(of: "a")?.restarts == 0)
            }
        }
    }

    @Test func `who is found dead is ended and started again`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell(
                    "a", "touch alive; exec sleep 1000", in: directory,
                    restart: .always(backoff: BackoffPolicy(initial: .milliseconds(1))))
                spec.liveness = .command(["test", "-e", "alive"])
                spec.liveness?.interval = .milliseconds(20)
                spec.liveness?.failureThreshold = 2
                _ = try await supervisor.start(spec)
                _ = await first(events) { if case .ready = $0 { true } else { false } }
                while !FileManager.default.fileExists(atPath: directory.appending("alive").string) {
                    await Task.yield()
                }
                try FileManager.default.removeItem(atPath: directory.appending("alive").string)
                let ending = await first(events) { $0 == .ending }
                #expect(
                    ending?.cause.description
                        == "liveness probe failed 2 times, the last time: test: exit status 1")
                let exited = await first(events) { if case .exited = $0 { true } else { false } }
                #expect(exited?.cause == ending?.cause)
                _ = await first(events) { if case .ready = $0 { true } else { false } }
                #expect(supervisor.status(of: "a")?.restarts == 1)
            }
        }
    }

    @Test func `who dies between probe and route is told as unready before anything else`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let events = supervisor.events()
                _ = try await supervisor.start(
                    .shell(
                        "a", "while ! test -e asked; do sleep 0.01; done; exit 5", in: directory,
                        readiness: .command(["sh", "-c", "touch asked"])))
                try? await supervisor.waitUntilReady("a")
                let all = await LifecycleTests.events(events) { if case .exited = $0 { true } else { false } }
                let names = all.map { LifecycleTests.name($0.kind) }
                // It may have been faster than the answer to its probe.
                #expect([["started", "ready", "unready", "exited"], ["started", "exited"]].contains(names))
                #expect(all.last?.cause == .exit(.exited(5)))
                #expect(supervisor.status(of: "a")?.state == .failed)
            }
        }
    }

    @Test func `who closes its output, and who becomes another program, is stopped like others`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let script = "exec >&- 2>&-; touch closed; exec sh -c 'exec sh -c \"touch third; exec sleep 1000\"'"
                let status = try await supervisor.start(.shell("a", script, in: directory))
                while !FileManager.default.fileExists(atPath: directory.appending("third").string) {
                    await Task.yield()
                }
                #expect(supervisor.status(of: "a")?.state == .ready)
                #expect(supervisor.status(of: "a")?.pid == status.pid)
                #expect(await supervisor.stop("a") == .signalled(15))
                #expect(!isAlive(status.pid))
            }
        }
    }
}
