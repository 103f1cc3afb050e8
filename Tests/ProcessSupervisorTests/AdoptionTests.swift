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
            let script = "echo one; while ! test -e go; do sleep 0.05; done; echo two; touch done; exec sleep 1000"
            let output = RecordingOutputHandler()
            let before = try await withSupervisor(in: directory, output: output, onShutdown: .leaveRunning) {
                let status = try await $0.start(.shell("a", script, in: directory, port: .allocate))
                await output.lines(of: "a") { $0 == ["one"] }
                return status
            }
            // Nobody reads now.
            #expect(isAlive(before.pid))
            try Data().write(to: URL(filePath: directory.appending("go").string))
            while !FileManager.default.fileExists(atPath: directory.appending("done").string) {
                try await Task.sleep(for: .milliseconds(10))
            }
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
            while isAlive(pid) { try await Task.sleep(for: .milliseconds(10)) }
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

    /// A host that is killed in the middle of its work, in a process of its own.
    @Test func `kill -9 of the host loses nobody and starts nobody twice`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.string
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let directory = FilePath(path)
                try await withSupervisor(in: directory) { supervisor in
                    _ = try await supervisor.start(.shell("a", "echo $$ >> starts; exec sleep 1000", in: directory))
                    _ = try await supervisor.start(
                        .shell(
                            "b", "trap 'echo term >> b-ended; exit 3' TERM; while :; do sleep 0.05; done", in: directory
                        ))
                    let oneOff = Task {
                        try await supervisor.runOneOff(
                            .shell("echo $$ > one-off; exec sleep 1000", in: directory), id: "c", output: { _ in })
                    }
                    while !FileManager.default.fileExists(atPath: directory.appending("one-off").string)
                        || !FileManager.default.fileExists(atPath: directory.appending("starts").string)
                    { try await Task.sleep(for: .milliseconds(10)) }
                    kill(getpid(), SIGKILL)
                    _ = try await oneOff.value
                }
            }
            let oneOff = try Self.number(in: directory.appending("one-off"))
            #expect(isAlive(oneOff))
            try await withSupervisor(in: directory) { supervisor in
                let started = try Self.number(in: directory.appending("starts"))
                #expect(supervisor.status(of: "a")?.pid == started)
                #expect(supervisor.statuses().map(\.id) == ["a", "b"])
                #expect(!isAlive(oneOff))
                // Not a child of this process, and its status is known all the same.
                #expect(await supervisor.stop("b") == .exited(3))
            }
        }
    }

    /// The host dies somewhere among its starts; where exactly is up to the machine.
    @Test(arguments: [0, 3, 9, 20])
    func `kill -9 at any instant leaves one process of each recorded instance`(milliseconds: Int) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.string
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, milliseconds = milliseconds as Int] in
                let directory = FilePath(path)
                try await withSupervisor(in: directory) { supervisor in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask {
                            try await Task.sleep(for: .milliseconds(milliseconds))
                            kill(getpid(), SIGKILL)
                        }
                        for number in 0..<12 {
                            group.addTask { _ = try await supervisor.start(Self.numbered(number, in: directory)) }
                        }
                        while true { try await group.next() }
                    }
                }
            }
            try await withSupervisor(in: directory) { supervisor in
                let recorded = supervisor.statuses().map(\.id)
                for id in recorded { try await supervisor.waitUntilReady(id) }
                for number in 0..<12 {
                    let id = InstanceID("n\(number)")
                    let file = directory.appending("starts-\(number)").string
                    if recorded.contains(id) {
                        while !FileManager.default.fileExists(atPath: file) {
                            try await Task.sleep(for: .milliseconds(5))
                        }
                    }
                    let text = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
                    let alive = (text ?? "").split(separator: "\n").compactMap { Int32($0) }.filter { isAlive($0) }
                    #expect(alive.count <= 1, "\(id) runs \(alive.count) times")
                    #expect(alive.isEmpty || supervisor.status(of: id)?.pid == alive.first, "\(id) is an orphan")
                }
            }
        }
    }

    static func numbered(_ number: Int, in directory: FilePath) -> InstanceSpec {
        .shell(
            InstanceID("n\(number)"), "echo $$ >> starts-\(number); exec sleep 1000", in: directory,
            restart: .always(backoff: BackoffPolicy(initial: .milliseconds(1))))
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
