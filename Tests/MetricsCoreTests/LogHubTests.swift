import Foundation
import Logging
import Testing

@testable import MetricsCore

@Suite(.timeLimit(.minutes(1))) struct LogHubTests {
    private let time = ManualTime()

    private func hub(_ change: (inout LogHub.Configuration) -> Void = { _ in }) throws -> LogHub {
        var configuration = LogHub.Configuration()
        change(&configuration)
        let time = self.time
        return try LogHub(configuration: configuration, now: { time.now }, logger: .quiet)
    }

    private func entry(_ text: String, _ source: LogSource = .app, _ process: String? = "web.1") -> LogEntry {
        LogEntry(timestamp: self.time.now, source: source, process: process, text: text)
    }

    @Test func `lines are kept in order, numbered, the newest only`() throws {
        let hub = try self.hub { $0.linesPerApplication = 3 }
        for index in 1...5 { hub.append(self.entry("line \(index)"), to: "shop") }
        let lines = hub.recent("shop", limit: 10)
        #expect(lines.map(\.text) == ["line 3", "line 4", "line 5"])
        #expect(lines.map(\.sequence) == lines.map(\.sequence).sorted())
        #expect(hub.recent("shop", limit: 2).map(\.text) == ["line 4", "line 5"])
        #expect(hub.recent("shop", limit: 0).isEmpty && hub.recent("other", limit: 5).isEmpty)
        #expect(hub.applications == ["shop"])
    }

    @Test func `long lines leave room for fewer`() throws {
        let hub = try self.hub { $0.bytesPerApplication = 100 }
        for index in 0..<5 { hub.append(self.entry(String(repeating: "\(index)", count: 40)), to: "shop") }
        #expect(hub.recent("shop", limit: 10).count == 2)
        hub.append(self.entry(String(repeating: "x", count: 400)), to: "shop")
        #expect(hub.recent("shop", limit: 10).count == 1)
    }

    @Test func `entries of several or too long lines become several lines`() throws {
        let hub = try self.hub { $0.lineBytes = 64 }
        hub.append(self.entry("first\nsecond\n", .build, nil), to: "shop")
        hub.append(self.entry(String(repeating: "x", count: 100)), to: "shop")
        let lines = hub.recent("shop", limit: 10)
        #expect(lines.map(\.text.count) == [5, 6, 64, 36])
        #expect(Set(lines.map(\.sequence)).count == 4)
    }

    @Test func `a filter finds the last matching lines`() throws {
        let hub = try self.hub()
        for index in 0..<10 {
            hub.append(self.entry("\(index)", index % 2 == 0 ? .app : .router, "web.\(index % 3)"), to: "shop")
        }
        #expect(hub.recent("shop", limit: 2, filter: LogFilter(sources: [.app])).map(\.text) == ["6", "8"])
        #expect(hub.recent("shop", limit: 9, filter: LogFilter(process: "web.0")).map(\.text) == ["0", "3", "6", "9"])
    }

    @Test func `secrets are redacted before anything is kept or shown`() async throws {
        let hub = try self.hub { $0.lineBytes = 64 }
        hub.setSecrets(["s3cr3t-token", "begin-key\nsecond-of-key\nend", "short"], for: "shop")
        let tail = hub.tail("shop", last: 0)
        let padding = String(repeating: "-", count: 60)
        hub.append(
            [
                self.entry("token=s3cr3t-token short"), self.entry("begin-key"), self.entry("  second-of-key"),
                // Would be split in the middle of the secret, were it not replaced first.
                self.entry(padding + "s3cr3t-token"),
            ], to: "shop")
        hub.append(self.entry("s3cr3t-token"), to: "other")
        let texts = hub.recent("shop", limit: 10).map(\.text)
        #expect(texts == ["token=[redacted] short", "[redacted]", "  [redacted]", padding + "[red", "acted]"])
        var iterator = tail.makeAsyncIterator()
        #expect(await iterator.next()?.text == "token=[redacted] short")
        #expect(hub.recent("other", limit: 1).map(\.text) == ["s3cr3t-token"])
        hub.setSecrets([], for: "shop")
        hub.append(self.entry("s3cr3t-token"), to: "shop")
        #expect(hub.recent("shop", limit: 1).map(\.text) == ["s3cr3t-token"])
    }

    @Test func `applications beyond the limit are refused and counted`() async throws {
        let hub = try self.hub { $0.maxApplications = 1 }
        hub.append(self.entry("a"), to: "one")
        hub.append([self.entry("b"), self.entry("c")], to: "two")
        #expect(hub.recent("two", limit: 9).isEmpty && hub.refusedEntries == 2)
        for await _ in hub.tail("two", last: 5) { Issue.record("no line expected") }
    }

    @Test func `a limit that cannot work is said`() {
        for change in [
            { $0.lineBytes = 10 }, { $0.linesPerApplication = 0 }, { $0.flushInterval = .zero },
        ] as [(inout LogHub.Configuration) -> Void] {
            let error = #expect(throws: MetricsError.self) { try self.hub(change) }
            #expect(error?.code == .invalidConfiguration)
        }
    }

    @Test func `a removed application is forgotten and its sequence never goes back`() throws {
        let hub = try self.hub()
        hub.append(self.entry("old"), to: "shop")
        let old = try #require(hub.recent("shop", limit: 1).first)
        hub.remove("shop")
        #expect(hub.recent("shop", limit: 1).isEmpty && hub.applications.isEmpty)
        self.time.advance(0.001)
        hub.append(self.entry("new"), to: "shop")
        let new = try #require(hub.recent("shop", limit: 9).first)
        #expect(new.text == "new" && new.sequence > old.sequence)
    }

    @Test func `a renamed application keeps its lines and secrets`() throws {
        let hub = try self.hub()
        hub.setSecrets(["s3cr3t-token"], for: "shop")
        hub.append(self.entry("before"), to: "shop")
        hub.append(self.entry("replaced"), to: "store")
        hub.rename(from: "shop", to: "store")
        hub.append(self.entry("s3cr3t-token"), to: "store")
        #expect(hub.recent("store", limit: 9).map(\.text) == ["before", "[redacted]"])
        #expect(hub.applications == ["store"])
        hub.rename(from: "nobody", to: "store")
        hub.rename(from: "store", to: "store")
        #expect(hub.recent("store", limit: 9).count == 2)
    }
}

extension Logger {
    static var quiet: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
