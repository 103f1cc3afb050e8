import Foundation
import Logging
import Testing

@testable import MetricsCore

@Suite(.timeLimit(.minutes(1))) struct LogTailTests {
    private func hub(_ change: (inout LogHub.Configuration) -> Void = { _ in }) throws -> LogHub {
        var configuration = LogHub.Configuration()
        change(&configuration)
        return try LogHub(configuration: configuration, logger: .quiet)
    }

    @Test func `a tail begins with the last lines and goes on with new ones`() async throws {
        let hub = try self.hub()
        for index in 1...5 { hub.append("\(index)", source: .app, to: "shop") }
        var iterator = hub.tail("shop", last: 2).makeAsyncIterator()
        hub.append("6", source: .app, to: "shop")
        var texts: [String] = []
        for _ in 1...3 { texts.append(await iterator.next()?.text ?? "end") }
        #expect(texts == ["4", "5", "6"])
    }

    @Test func `a reader that waits gets the next line`() async throws {
        let hub = try self.hub()
        let tail = hub.tail("shop", last: 10)
        async let first = tail.first { _ in true }
        hub.append("hello", source: .app, to: "shop")
        #expect(await first?.text == "hello")
    }

    @Test func `a filter applies to old and new lines`() async throws {
        let hub = try self.hub()
        hub.append("a", source: .app, process: "web.1", to: "shop")
        hub.append("b", source: .router, to: "shop")
        var iterator = hub.tail("shop", last: 10, filter: LogFilter(process: "web")).makeAsyncIterator()
        hub.append("c", source: .app, process: "worker.1", to: "shop")
        hub.append("d", source: .app, process: "web.2", to: "shop")
        #expect(await iterator.next()?.text == "a")
        #expect(await iterator.next()?.text == "d")
    }

    @Test func `a reader that comes back goes on after the line it saw last`() async throws {
        let hub = try self.hub()
        for index in 1...5 { hub.append("\(index)", source: .app, to: "shop") }
        let seen = hub.recent("shop", limit: 5)[2].sequence
        var iterator = hub.tail("shop", after: seen).makeAsyncIterator()
        #expect(await iterator.next()?.text == "4")
        #expect(await iterator.next()?.text == "5")
    }

    @Test func `no line is missed or doubled while many write and readers come`() async throws {
        let (writers, perWriter, readers) = (4, 500, 6)
        let total = writers * perWriter
        let hub = try self.hub {
            $0.linesPerApplication = total + 1
            $0.tailLines = total + 1
        }
        try await withThrowingTaskGroup { group in
            for writer in 0..<writers {
                group.addTask {
                    for index in 0..<perWriter {
                        hub.append("\(writer) \(index)", source: .app, to: "shop")
                        if index % 50 == 0 { await Task.yield() }
                    }
                }
            }
            for _ in 0..<readers {
                group.addTask {
                    var lines: [LogLine] = []
                    for await line in hub.tail("shop", last: .max) {
                        lines.append(line)
                        if lines.count == total { break }
                    }
                    let sequences = lines.map(\.sequence)
                    #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 + 1 })
                    for writer in 0..<writers {
                        let own = lines.filter { $0.text.hasPrefix("\(writer) ") }.map(\.text)
                        #expect(own == (0..<perWriter).map { "\(writer) \($0)" })
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(hub.recent("shop", limit: .max).count == total)
    }

    @Test func `a slow reader loses the oldest lines and is told how many`() async throws {
        let hub = try self.hub { $0.tailLines = 3 }
        let tail = hub.tail("shop", last: 0)
        for index in 1...10 { hub.append("\(index)", source: .app, to: "shop") }
        hub.append("alone", source: .app, to: "other")
        var iterator = tail.makeAsyncIterator()
        var lines: [LogLine] = []
        for _ in 1...4 { if let line = await iterator.next() { lines.append(line) } }
        #expect(lines.map(\.text) == ["… 7 lines dropped", "8", "9", "10"])
        #expect(lines.first?.source == .platform)
        #expect(lines.map(\.sequence) == lines.map(\.sequence).sorted() && Set(lines.map(\.sequence)).count == 4)
    }

    @Test func `a tail ends after the last line when the application is removed`() async throws {
        let hub = try self.hub()
        hub.append("last", source: .app, to: "shop")
        let tail = hub.tail("shop", last: 1)
        hub.remove("shop")
        hub.append("of the next application", source: .app, to: "shop")
        var texts: [String] = []
        for await line in tail { texts.append(line.text) }
        #expect(texts == ["last"])
    }

    @Test func `a waiting tail ends when the application is removed`() async throws {
        let hub = try self.hub()
        let tail = hub.tail("shop", last: 1)
        async let count = tail.reduce(0) { count, _ in count + 1 }
        hub.remove("shop")
        #expect(await count == 0)
    }

    @Test func `a tail goes on when the application is renamed`() async throws {
        let hub = try self.hub()
        var iterator = hub.tail("shop", last: 0).makeAsyncIterator()
        hub.rename(from: "shop", to: "store")
        hub.append("hello", source: .app, to: "store")
        #expect(await iterator.next()?.text == "hello")
    }

    @Test func `a tail ends with its task`() async throws {
        let hub = try self.hub()
        let tail = hub.tail("shop", last: 1)
        let (started, continuation) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            var count = 0
            for await _ in tail {
                count += 1
                continuation.yield()
            }
            return count
        }
        hub.append("one", source: .app, to: "shop")
        _ = await started.first { _ in true }
        task.cancel()
        #expect(await task.value == 1)
    }

    @Test func `readers are forgotten when they go, and limited while they stay`() async throws {
        let hub = try self.hub { $0.tailsPerApplication = 2 }
        for _ in 0..<10 { _ = hub.tail("shop", last: 0) }
        let (first, second) = (hub.tail("shop", last: 0), hub.tail("shop", last: 0))
        var texts: [String] = []
        for await line in hub.tail("shop", last: 0) { texts.append(line.text) }
        #expect(texts == ["… too many readers of this log; try again later"])
        hub.append("hello", source: .app, to: "shop")
        for tail in [first, second] { #expect(await tail.first { _ in true }?.text == "hello") }
    }
}
