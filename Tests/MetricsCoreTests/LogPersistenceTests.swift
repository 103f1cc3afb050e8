import Foundation
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import MetricsCore

@Suite(.timeLimit(.minutes(1))) struct LogPersistenceTests {
    private let time = ManualTime()

    private func hub(
        _ directory: FilePath, clock: any Clock<Duration> = ContinuousClock(),
        _ change: (inout LogHub.Configuration) -> Void = { _ in }
    ) throws -> LogHub {
        var configuration = LogHub.Configuration()
        configuration.directory = directory
        change(&configuration)
        let time = self.time
        return try LogHub(configuration: configuration, clock: clock, now: { time.now }, logger: .quiet)
    }

    private func segments(_ directory: FilePath, _ application: String) throws -> [FilePath] {
        let directory = directory.appending(application)
        return try FileManager.default.contentsOfDirectory(atPath: directory.string).sorted().map(directory.appending)
    }

    @Test func `lines survive a restart, and the sequence goes on`() async throws {
        try await withTemporaryDirectory { directory in
            let first = try self.hub(directory)
            let entry = LogEntry(timestamp: self.time.now, source: .app, process: "web.1", text: "é\tbefore")
            first.append([entry, entry], to: "shop")
            first.append("of another", source: .build, to: "../Évil/name")
            await first.flush()
            let before = first.recent("shop", limit: 9)

            // Even when the clock has gone backwards meanwhile.
            self.time.advance(-3_600)
            let second = try self.hub(directory)
            #expect(second.applications == ["../Évil/name", "shop"])
            #expect(second.recent("shop", limit: 9) == before)
            #expect(second.recent("../Évil/name", limit: 9).map(\.text) == ["of another"])
            second.append("after", source: .platform, to: "shop")
            let lines = second.recent("shop", limit: 9)
            #expect(lines.map(\.text) == ["é\tbefore", "é\tbefore", "after"])
            #expect(lines.map(\.sequence) == Set(lines.map(\.sequence)).sorted())

            await second.flush()
            let third = try self.hub(directory)
            #expect(third.recent("shop", limit: 9) == lines)
            #expect(try self.segments(directory, "shop").count == 1)
        }
    }

    @Test func `a disk that does not answer keeps nobody waiting, and gets all lines in the end`() async throws {
        try await withTemporaryDirectory { directory in
            let hub = try self.hub(directory) { $0.storeTimeout = .milliseconds(1) }
            // As a write that does not come back.
            hub.queue.suspend()
            for number in 0..<100 {
                for application in ["shop", "blog"] {
                    hub.append("line \(number)", source: .app, to: application)
                    hub.store(application)
                }
            }
            #expect(hub.stores.withLock { $0.isSlow && $0.queued == ["shop", "blog"] })
            hub.queue.resume()
            await hub.flush()
            #expect(hub.stores.withLock { !$0.isSlow && $0.queued.isEmpty })
            let next = try self.hub(directory)
            #expect(next.recent("shop", limit: 200).count == 100 && next.recent("blog", limit: 200).count == 100)
        }
    }

    @Test func `the sequence grows even when the last lines never reached the disk`() async throws {
        try await withTemporaryDirectory { directory in
            let first = try self.hub(directory)
            first.append("on disk", source: .app, to: "shop")
            await first.flush()
            for _ in 0..<100 { first.append("lost", source: .app, to: "shop") }
            let lost = try #require(first.recent("shop", limit: 1).first)
            self.time.advance(1)
            let second = try self.hub(directory)
            second.append("new", source: .app, to: "shop")
            #expect(try #require(second.recent("shop", limit: 1).first).sequence > lost.sequence)
        }
    }

    @Test func `a torn last line is not read and does not spoil the next`() async throws {
        try await withTemporaryDirectory { directory in
            let first = try self.hub(directory)
            for text in ["one", "two", "three"] { first.append(text, source: .app, to: "shop") }
            await first.flush()
            let path = try #require(try self.segments(directory, "shop").first)
            let whole = try Data(contentsOf: URL(fileURLWithPath: path.string))
            try whole.dropLast(3).write(to: URL(fileURLWithPath: path.string))

            let second = try self.hub(directory)
            #expect(second.recent("shop", limit: 9).map(\.text) == ["one", "two"])
            second.append("four", source: .app, to: "shop")
            await second.flush()
            #expect(try self.hub(directory).recent("shop", limit: 9).map(\.text) == ["one", "two", "four"])
        }
    }

    @Test func `segments are closed by size and the oldest go`() async throws {
        try await withTemporaryDirectory { directory in
            func limits(_ configuration: inout LogHub.Configuration) {
                configuration.segmentBytes = 1_000
                configuration.diskBytesPerApplication = 4_000
                configuration.linesPerApplication = 50
            }
            let hub = try self.hub(directory, limits)
            for round in 0..<40 {
                for index in 0..<10 { hub.append("line \(round * 10 + index)", source: .app, to: "shop") }
                await hub.flush()
            }
            let sizes = try self.segments(directory, "shop").map {
                try Data(contentsOf: URL(fileURLWithPath: $0.string)).count
            }
            #expect(sizes.count >= 3 && sizes.reduce(0, +) <= 4_100)
            #expect(sizes.allSatisfy { $0 < 1_100 })
            let reloaded = try self.hub(directory, limits)
            #expect(reloaded.recent("shop", limit: 99).map(\.text) == (350..<400).map { "line \($0)" })
        }
    }

    @Test func `a big batch is divided among segments`() async throws {
        try await withTemporaryDirectory { directory in
            let hub = try self.hub(directory) { $0.segmentBytes = 500 }
            for index in 0..<100 { hub.append("line \(index)", source: .app, to: "shop") }
            await hub.flush()
            #expect(try self.segments(directory, "shop").count >= 7)
            let reloaded = try self.hub(directory) { $0.segmentBytes = 500 }
            #expect(reloaded.recent("shop", limit: 200).map(\.text) == (0..<100).map { "line \($0)" })
        }
    }

    @Test func `what finds no room before the flush is counted in the file`() async throws {
        try await withTemporaryDirectory { directory in
            let hub = try self.hub(directory) { $0.pendingBytes = 700 }
            for index in 0..<50 { hub.append("line \(index)", source: .app, to: "shop") }
            await hub.flush()
            hub.append("later", source: .app, to: "shop")
            await hub.flush()
            #expect(hub.recent("shop", limit: 99).count == 51)
            let texts = try self.hub(directory).recent("shop", limit: 99).map(\.text)
            #expect(texts.first == "line 0" && texts.last == "later")
            #expect(texts.dropLast().last == "… \(50 - (texts.count - 2)) lines were not kept on disk")
        }
    }

    @Test func `lines wait for a disk that does not work and are written once it does`() async throws {
        try await withTemporaryDirectory { directory in
            let hub = try self.hub(directory)
            // A file where the application's directory should be; permissions would not stop root.
            let obstacle = URL(fileURLWithPath: directory.appending("shop").string)
            try Data().write(to: obstacle)
            hub.append("one", source: .app, to: "shop")
            await hub.flush()
            hub.append("two", source: .app, to: "shop")
            hub.append("unharmed", source: .app, to: "other")
            await hub.flush()
            #expect(hub.storageFailures.keys.sorted() == ["shop"])
            try FileManager.default.removeItem(at: obstacle)
            await hub.flush()
            #expect(hub.storageFailures.isEmpty)
            let reloaded = try self.hub(directory)
            #expect(reloaded.recent("shop", limit: 9).map(\.text) == ["one", "two"])
            #expect(reloaded.recent("other", limit: 9).map(\.text) == ["unharmed"])
        }
    }

    @Test func `one application's broken files do not stop the others`() async throws {
        try await withTemporaryDirectory { directory in
            let first = try self.hub(directory)
            for name in ["broken", "garbled", "shop"] { first.append("hello", source: .app, to: name) }
            await first.flush()
            let broken = try #require(try self.segments(directory, "broken").first)
            try FileManager.default.removeItem(atPath: broken.string)
            try FileManager.default.createSymbolicLink(atPath: broken.string, withDestinationPath: "/etc/passwd")
            let garbled = try #require(try self.segments(directory, "garbled").first)
            try Data((0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 37) })
                .write(to: URL(fileURLWithPath: garbled.string))
            let second = try self.hub(directory)
            #expect(second.recent("shop", limit: 9).map(\.text) == ["hello"])
            #expect(second.recent("broken", limit: 9).isEmpty && second.recent("garbled", limit: 9).isEmpty)
            for name in ["broken", "garbled"] { second.append("anew", source: .app, to: name) }
            await second.flush()
            let third = try self.hub(directory)
            for name in ["broken", "garbled"] { #expect(third.recent(name, limit: 9).map(\.text) == ["anew"]) }
            #expect(third.storageFailures.keys.sorted() == ["broken"])
        }
    }

    @Test func `removing and renaming reach the disk`() async throws {
        try await withTemporaryDirectory { directory in
            let hub = try self.hub(directory)
            for name in ["gone", "shop", "store"] { hub.append("of \(name)", source: .app, to: name) }
            await hub.flush()
            hub.append("never written", source: .app, to: "gone")
            hub.remove("gone")
            hub.append("unflushed", source: .app, to: "shop")
            hub.rename(from: "shop", to: "store")
            hub.append("renamed", source: .app, to: "store")
            await hub.flush()
            let reloaded = try self.hub(directory)
            #expect(reloaded.applications == ["store"])
            #expect(reloaded.recent("store", limit: 9).map(\.text) == ["of shop", "unflushed", "renamed"])
        }
    }

    @Test func `running flushes at the interval, and the rest when cancelled`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = ManualClock()
            let hub = try self.hub(directory, clock: clock) { $0.flushInterval = .seconds(1) }
            let task = Task { try await hub.run() }
            await clock.sleepers(atLeast: 1)
            hub.append("one", source: .app, to: "shop")
            clock.advance(by: .seconds(1))
            // It sleeps again only after it has written.
            await clock.sleepers(atLeast: 1)
            #expect(try self.hub(directory).recent("shop", limit: 9).map(\.text) == ["one"])
            hub.append("two", source: .app, to: "shop")
            task.cancel()
            try await task.value
            #expect(try self.hub(directory).recent("shop", limit: 9).map(\.text) == ["one", "two"])
        }
    }

    @Test func `a directory that cannot be made is an error`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending("file")
            try Data().write(to: URL(fileURLWithPath: file.string))
            let error = #expect(throws: MetricsError.self) { try self.hub(file.appending("logs")) }
            #expect(error?.code == .storage)
        }
    }
}
