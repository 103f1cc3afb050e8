import Foundation
import Logging
import ProcessSupervisor
import SystemPackage

/// A supervisor for the benchmarks: what a host does with a `Supervisor`, and nothing beside it.
@main
struct Supervise {
    static let usage = """
        usage: supervise DIRECTORY sleep COUNT [groups]        keeps COUNT programs until it is told to end
               supervise DIRECTORY exits COUNT KILLS [groups]  how long an end is unnoticed, as JSON
               supervise DIRECTORY logs LINES                  CPU of capturing lines of 100 bytes, as JSON
        """

    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let hasGroups = arguments.last == "groups"
        if hasGroups { arguments.removeLast() }
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }
        guard arguments.count > 2, numbers.count == arguments.count - 2 else { self.fail(self.usage, 64) }
        let host = try Host(directory: arguments[0], hasGroups: hasGroups, isLogging: arguments[1] == "logs")
        let running = Task { try await host.supervisor.run() }
        switch (arguments[1], numbers.count) {
        case ("sleep", 1): try await host.sleep(numbers[0])
        case ("exits", 2): try await host.exits(numbers[0], kills: numbers[1])
        case ("logs", 1): try await host.logs(numbers[0])
        default: self.fail(self.usage, 64)
        }
        running.cancel()
        try await running.value
    }

    static func fail(_ message: String, _ status: Int32) -> Never {
        FileHandle.standardError.write(Data((message + "\n").utf8))
        exit(status)
    }
}

struct Host {
    let supervisor: Supervisor
    let directory: String

    init(directory: String, hasGroups: Bool, isLogging: Bool) throws {
        self.directory = directory
        var configuration = Supervisor.Configuration(stateDirectory: FilePath(directory + "/state"))
        configuration.maxInstances = 10_000
        let groups = hasGroups ? try ControlGroups.open(named: "supervise-\(getpid())") : nil
        let output: any OutputHandler =
            isLogging ? try FileOutput(path: directory + "/lines") : DiscardingOutputHandler()
        self.supervisor = Supervisor(
            configuration: configuration, launcher: HostLauncher(groups: groups), output: output,
            logger: Logger(label: "supervise", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Keeps programs that do nothing, until SIGTERM; then all are stopped.
    func sleep(_ count: Int) async throws {
        let end = AsyncStream<Void>.makeStream()
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM)
        source.setEventHandler { end.continuation.finish() }
        source.activate()
        try await self.startAll(count)
        print("started")
        fflush(nil)
        for await _ in end.stream {}
        source.cancel()
    }

    /// Kills one program after the other, and looks at the clock when the supervisor tells of its end.
    func exits(_ count: Int, kills: Int) async throws {
        try await self.startAll(count)
        var events = self.supervisor.events().makeAsyncIterator()
        var (told, over): ([Double], [Double]) = ([], [])
        for index in 0..<min(kills, count) {
            guard let pid = self.supervisor.status(of: InstanceID("sleep.\(index)"))?.pid else { continue }
            let before = Self.now()
            kill(pid, SIGKILL)
            while let event = await events.next() {
                // First that it takes no work any more, and then, when nothing is left of it, its end.
                if case .unready = event.kind { told.append((Self.now() - before) * 1e3) }
                if case .exited = event.kind { break }
            }
            over.append((Self.now() - before) * 1e3)
        }
        told.sort()
        over.sort()
        self.tell([
            "told, p50": told[told.count / 2], "told, p99": told[told.count * 99 / 100],
            "over, p50": over[over.count / 2], "over, p99": over[over.count * 99 / 100],
        ])
    }

    /// Writes the lines of one program to a file.
    func logs(_ lines: Int) async throws {
        let line = String(repeating: "x", count: 99)
        var spec = Self.spec(
            "writer", ["/bin/sh", "-c", "yes \(line) | head -n \(lines)"])
        spec.output = OutputPolicy(bytesPerSecond: 1 << 30, burstBytes: 1 << 30)
        var events = self.supervisor.events().makeAsyncIterator()
        let before = Self.cpu()
        _ = try await self.supervisor.start(spec)
        // What it wrote comes before the news of its end.
        while let event = await events.next() {
            if case .exited = event.kind { break }
        }
        self.tell(["cpu": Self.cpu() - before])
    }

    private func startAll(_ count: Int) async throws {
        try await self.supervisor.waitUntilAdopted()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                group.addTask {
                    _ = try await self.supervisor.start(Self.spec("sleep.\(index)", ["/bin/sleep", "100000"]))
                }
            }
            try await group.waitForAll()
        }
    }

    private static func spec(_ name: String, _ arguments: [String]) -> InstanceSpec {
        var process = ProcessSpec(arguments: arguments, environment: ["PATH": "/usr/bin:/bin"], workingDirectory: "/")
        // As an application has it: then the supervisor looks at it from time to time.
        process.limits.memoryBytes = 512 << 20
        return InstanceSpec(id: InstanceID(name), process: process, restart: .never)
    }

    private func tell(_ values: [String: Double]) {
        let data = (try? JSONEncoder().encode(values)) ?? Data()
        print(String(decoding: data, as: UTF8.self))
        fflush(nil)
    }

    private static func now() -> Double { Self.time(CLOCK_MONOTONIC) }
    private static func cpu() -> Double { Self.time(CLOCK_PROCESS_CPUTIME_ID) }
    private static func time(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Writes lines as they come, one call for what came together.
struct FileOutput: OutputHandler {
    private let file: FileDescriptor

    init(path: String) throws {
        self.file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    }

    func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lines.count * 128)
        for line in lines {
            bytes += line.text.utf8
            bytes.append(0x0a)
        }
        _ = try? self.file.writeAll(bytes)
    }
}
