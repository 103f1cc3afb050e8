import Foundation
import Logging
import MetricsCore
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct AccessLogFileTests {
    private let registry = MetricsRegistry()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func text(_ path: FilePath) -> String {
        (try? String(contentsOfFile: path.string, encoding: .utf8)) ?? ""
    }

    /// Runs the file while `body` runs, and until all is written.
    private func running(_ file: AccessLogFile, _ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await file.run() }
            try await body()
            group.cancelAll()
        }
    }

    @Test func `appends in order, and goes on with a new file when the old one was moved away`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("access.log")
            try "before\n".write(toFile: path.string, atomically: false, encoding: .utf8)
            let file = try AccessLogFile(path: path, registry: self.registry, logger: self.logger)
            try await self.running(file) {
                file.append("one\ntwo\n")
                while !self.text(path).hasSuffix("two\n") { await Task.yield() }
                let old = directory.appending("access.log.1")
                try FileManager.default.moveItem(atPath: path.string, toPath: old.string)
                file.append("three\n")
                while self.text(path) != "three\n" { await Task.yield() }
                #expect(self.text(old) == "before\none\ntwo\n")
                file.append("last\n")
            }
            #expect(self.text(path) == "three\nlast\n")
            #expect(file.droppedLines == 0)
        }
    }

    @Test func `what finds no room is dropped, counted and told of`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("access.log")
            let file = try AccessLogFile(path: path, maxWaitingBytes: 10, registry: self.registry, logger: self.logger)
            file.append("12345\n")
            file.append("67\n89\n")
            file.append("abc\n")
            #expect(file.droppedLines == 2)
            try await self.running(file) {
                while !self.text(path).hasSuffix("dropped=2\n") { await Task.yield() }
                file.append("next\n")
            }
            #expect(self.text(path) == "12345\nabc\ndropped=2\nnext\n")
            #expect(self.registry.prometheusText().contains("slipway_access_log_dropped_lines_total 2\n"))
        }
    }

    @Test func `what was dropped is told of once the disk takes lines again, each line once`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("logs").appending("access.log")
            try FileManager.default.createDirectory(
                atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
            let file = try AccessLogFile(path: path, maxWaitingBytes: 10, registry: self.registry, logger: self.logger)
            try await self.running(file) {
                // No file can be made there any more.
                try FileManager.default.removeItem(atPath: path.removingLastComponent().string)
                file.append("too long for it\n")
                file.append("1\n")
                while file.droppedLines < 2 { await Task.yield() }
                file.append("2\n")
                while file.droppedLines < 3 { await Task.yield() }
                try FileManager.default.createDirectory(
                    atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
                file.append("3\n")
                while self.text(path) != "3\ndropped=3\n" { await Task.yield() }
            }
            #expect(file.droppedLines == 3)
            #expect(self.registry.prometheusText().contains("slipway_access_log_dropped_lines_total 3\n"))
        }
    }

    @Test func `a file that cannot be written is refused at once`() async {
        await expect(.invalid, "access log") {
            try AccessLogFile(path: "/nowhere/access.log", registry: self.registry, logger: self.logger)
        }
    }
}
