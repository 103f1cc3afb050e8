import Logging
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
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(.timeLimit(.minutes(1))) struct AdoptionTests {
    @Test func `the next supervisor takes over the same process and its output`() async throws {
        try await withTemporaryDirectory { directory in
            let (go, done) = (try NamedPipe(directory.appending("go")), try NamedPipe(directory.appending("done")))
            let script = "echo one; read line < go; echo two; echo > done; exec sleep 1000"
            let output = RecordingOutputHandler()
            let before = try await withSupervisor(in: directory, output: output, onShutdown: .leaveRunning) {
                let status = try await $0.start(.shell("a", script, in: directory, port: .allocate))
                await output.lines(of: "a") { $0 == ["one"] }
                return status
            }
            // Nobody reads now.
            #expect(isAlive(before.pid))
            try go.say()
            await done.heard()
            try await withSupervisor(in: directory, output: output) { supervisor in
                let after = try #require(supervisor.status(of: "a"))
                #expect(after.adopted)
                #expect(after.pid == before.pid)
                #expect(after.port == before.port)
                #expect(after.state == .ready)
                await output.lines(of: "a") { $0 == ["one", "two"] }
            }
            #expect(!isAlive(before.pid))
        }
    }

    @Test func `the next supervisor knows how the process before ended`() async throws {
        try await withTemporaryDirectory { directory in
            let script = "test -e again && exec sleep 1000; touch again; exit 3"
            try await withSupervisor(in: directory, onShutdown: .leaveRunning) { supervisor in
                var events = supervisor.events().makeAsyncIterator()
                let backoff = BackoffPolicy(initial: .milliseconds(1))
                _ = try await supervisor.start(
                    .shell("a", script, in: directory, restart: .always(backoff: backoff)))
                var starts = 0
                while starts < 2, let event = await events.next() {
                    if case .started = event.kind { starts += 1 }
                }
            }
            try await withSupervisor(in: directory) { supervisor in
                let status = try #require(supervisor.status(of: "a"))
                #expect(status.adopted && status.lastExit == .exited(3) && status.lastEnd == "exit status 3")
            }
        }
    }

    @Test func `a process that died without a host is restarted by its policy`() async throws {
        try await withTemporaryDirectory { directory in
            let before = try await withSupervisor(in: directory, onShutdown: .leaveRunning) {
                try await $0.start(
                    .shell(
                        "a", "exec sleep 1000", in: directory,
                        restart: .always(backoff: BackoffPolicy(initial: .milliseconds(1)))))
            }
            let pid = try #require(before.pid)
            kill(pid, SIGKILL)
            // A child of this very process: without a host nobody else lays it to rest.
            waitpid(pid, nil, 0)
            try await withSupervisor(in: directory) { supervisor in
                try await supervisor.waitUntilReady("a")
                let after = try #require(supervisor.status(of: "a"))
                #expect(after.pid != pid)
                #expect(after.restarts == 1)
                #expect(after.lastExit == .unknown)
                #expect(!after.adopted)
            }
        }
    }

    @Test func `a process is not recorded as ready because the one before it was`() async throws {
        try await withTemporaryDirectory { directory in
            try await withSupervisor(in: directory) { supervisor in
                let go = directory.appending("go").string
                try Data().write(to: URL(filePath: go))
                let events = supervisor.events()
                let status = try await supervisor.start(
                    .shell(
                        "a", "exec sleep 1000", in: directory, readiness: .command(["test", "-e", "go"]),
                        restart: .always(backoff: BackoffPolicy(initial: .milliseconds(1)))))
                try await supervisor.waitUntilReady("a")
                try FileManager.default.removeItem(atPath: go)
                kill(try #require(status.pid), SIGKILL)
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                _ = await first(events) { if case .started = $0 { true } else { false } }
                let path = directory.appending("state/instances/a/record.json").string
                let data = try #require(FileManager.default.contents(atPath: path))
                let record = try JSONDecoder().decode(InstanceRecord.self, from: data)
                #expect(record.pid == supervisor.status(of: "a")?.pid)
                #expect(!record.wasReady)
            }
        }
    }

    @Test func `finds a process whose number was not written yet`() async throws {
        try await withTemporaryDirectory { directory in
            let before = try await withSupervisor(in: directory, onShutdown: .leaveRunning) {
                try await $0.start(.shell("a", "exec sleep 1000", in: directory))
            }
            // As if the host had died between the start and the second record.
            let path = directory.appending("state/instances/a/record.json")
            let data = try #require(FileManager.default.contents(atPath: path.string))
            var record = try JSONDecoder().decode(InstanceRecord.self, from: data)
            record.phase = .starting
            record.pid = nil
            record.startTime = nil
            try JSONEncoder().encode(record).write(to: URL(filePath: path.string))
            try await withSupervisor(in: directory) { supervisor in
                #expect(supervisor.status(of: "a")?.pid == before.pid)
            }
        }
    }

    @Test func `goes on with a stop that a former host began`() async throws {
        try await withTemporaryDirectory { directory in
            let before = try await withSupervisor(in: directory, onShutdown: .leaveRunning) {
                try await $0.start(.shell("a", "exec sleep 1000", in: directory, restart: .always(backoff: .init())))
            }
            let path = directory.appending("state/instances/a/record.json")
            let data = try #require(FileManager.default.contents(atPath: path.string))
            var record = try JSONDecoder().decode(InstanceRecord.self, from: data)
            record.phase = .stopping
            try JSONEncoder().encode(record).write(to: URL(filePath: path.string))
            try await withSupervisor(in: directory) { supervisor in
                await supervisor.stop("a")
                #expect(!isAlive(before.pid))
            }
            try await withSupervisor(in: directory) { #expect($0.statuses().isEmpty) }
        }
    }

    @Test func `one broken record stops no other`() async throws {
        try await withTemporaryDirectory { directory in
            let before = try await withSupervisor(in: directory, onShutdown: .leaveRunning) {
                try await $0.start(.shell("good", "exec sleep 1000", in: directory))
            }
            let broken = directory.appending("state/instances/broken")
            try FileManager.default.createDirectory(atPath: broken.string, withIntermediateDirectories: true)
            try Data("{\"version\": 7".utf8).write(to: URL(filePath: broken.appending("record.json").string))
            try await withSupervisor(in: directory) { supervisor in
                #expect(supervisor.statuses().map(\.pid) == [before.pid])
            }
        }
    }

    static func number(in path: FilePath) throws -> Int32 {
        let data = try #require(FileManager.default.contents(atPath: path.string))
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 1, "started once")
        return try #require(lines.first.flatMap { Int32($0) })
    }
}
