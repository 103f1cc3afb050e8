import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import MetricsCore

@Suite struct ProcfsSamplerTests {
    private struct Fake {
        var pid: Int
        var parent: Int
        var session: Int
        var command = "app"
        var ticks = (0, 0, 0, 0)
        var pages = 0
        var files: Int?
    }

    private func write(_ processes: [Fake], to root: FilePath) throws {
        for process in processes {
            let directory = URL(fileURLWithPath: root.appending(String(process.pid)).string)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let (user, system, childrenUser, childrenSystem) = process.ticks
            let stat = """
                \(process.pid) (\(process.command)) S \(process.parent) \(process.pid) \(process.session) 0 -1 4194304 1 2 \
                3 4 \(user) \(system) \(childrenUser) \(childrenSystem) 20 0 1 0 12345 99999 \(process.pages) 0 0 0

                """
            try Data(stat.utf8).write(to: directory.appendingPathComponent("stat"))
            guard let files = process.files else { continue }
            let descriptors = directory.appendingPathComponent("fd")
            try FileManager.default.createDirectory(at: descriptors, withIntermediateDirectories: true)
            for number in 0..<files { try Data().write(to: descriptors.appendingPathComponent(String(number))) }
        }
    }

    @Test func `the tree and the session of a process are summed`() async throws {
        try await withTemporaryDirectory { root in
            try self.write(
                [
                    Fake(pid: 1, parent: 0, session: 1, pages: 1_000),
                    Fake(
                        pid: 10, parent: 1, session: 10, command: "we) ird (x", ticks: (100, 50, 7, 3), pages: 10,
                        files: 3),
                    Fake(pid: 11, parent: 10, session: 10, ticks: (200, 0, 0, 0), pages: 20, files: 4),
                    Fake(pid: 12, parent: 11, session: 12, ticks: (0, 45, 0, 0), pages: 30),
                    // Orphaned, but still in the session.
                    Fake(pid: 13, parent: 1, session: 10, pages: 40),
                    Fake(pid: 14, parent: 13, session: 14, pages: 50),
                    Fake(pid: 20, parent: 1, session: 20, pages: 7),
                ], to: root)
            // What else lives in /proc, and a process that vanished between listing and reading.
            for name in ["self", "sys", "99"] {
                try FileManager.default.createDirectory(
                    atPath: root.appending(name).string, withIntermediateDirectories: true)
            }
            let sampler = ProcfsSampler(root: root, pageBytes: 4_096, ticksPerSecond: 100)
            let usage = try sampler.sample(10)
            #expect(usage.residentBytes == 150 * 4_096)
            #expect(usage.cpuTime == .milliseconds(4_050) && usage.cpuSeconds == 4.05)
            #expect(usage.processes == 5 && usage.openFiles == 7)
            // Not the leader of its session: descendants only.
            #expect(try sampler.sample(11).processes == 2)
            #expect(try sampler.sample(20).openFiles == nil)
            #expect(try sampler.sample(all: [10, 20, 99, 500]).mapValues(\.processes) == [10: 5, 20: 1])
        }
    }

    @Test func `a process that is gone is an error of its own`() async throws {
        try await withTemporaryDirectory { root in
            let sampler = ProcfsSampler(root: root)
            let gone = #expect(throws: MetricsError.self) { try sampler.sample(10) }
            #expect(gone?.code == .processNotFound)
            let nowhere = ProcfsSampler(root: root.appending("nowhere"))
            let missing = #expect(throws: MetricsError.self) { try nowhere.sample(10) }
            #expect(missing?.code == .procfs)
        }
    }

    @Test(arguments: [
        "", "10", "10 (x", "10 (x) S 1", "x (y) S 1 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 5 5 5",
        "10 (x) S a 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 5 5 5", ")(",
    ])
    func `what is not a stat line is passed over`(line: String) {
        #expect(ProcessStat(line.utf8) == nil)
    }

    @Test func `a process may be its own ancestor in a damaged table`() {
        let stats = [
            "7 (a) S 8 1 7 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 5 5 5",
            "8 (b) S 7 1 7 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 5 5 5",
        ]
        let table = ProcessTable(stats.compactMap { ProcessStat($0.utf8) })
        #expect(table.tree(of: 7).count == 2)
    }

    #if os(Linux)
        @Test func `this very process has memory, time and files`() throws {
            let usage = try ProcfsSampler().sample(ProcessInfo.processInfo.processIdentifier)
            #expect(usage.residentBytes > 1 << 20 && usage.processes >= 1)
            #expect(usage.cpuTime >= .zero && (usage.openFiles ?? 0) >= 3)
        }
    #endif
}
