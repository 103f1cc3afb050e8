import Foundation
import Testing

@testable import MetricsCore

@Suite struct LogTextTests {
    @Test(arguments: [
        ("hello", ["hello"]), ("", [""]), ("a\nb", ["a", "b"]), ("a\n", ["a"]), ("a\r\nb\r\n", ["a", "b"]),
        ("\n", [""]), ("a\n\nb", ["a", "", "b"]), ("50%\r100%", ["50%\r100%"]),
        ("0123456789", ["01234567", "89"]), ("0123456é9", ["0123456", "é9"]), ("ééééé", ["éééé", "é"]),
        ("👍👍👍", ["👍👍", "👍"]), ("12345678", ["12345678"]), ("12345678\nx", ["12345678", "x"]),
    ])
    func `text becomes lines of at most eight bytes`(text: String, expected: [String]) {
        #expect(LogText.lines(text, limit: 8) == expected)
    }

    @Test(arguments: [
        ("web.1", "web.1"), ("a b]\t\u{1}", "a_b___"), ("é", "__"),
        (String(repeating: "x", count: 99), String(repeating: "x", count: 64)),
    ])
    func `a process name cannot break the frame of a line`(name: String, expected: String) {
        #expect(LogText.processName(name) == expected)
    }

    @Test func `a line is formatted with time, source and process`() {
        let time = Date(timeIntervalSince1970: 1_795_251_900.25)
        let app = LogLine(sequence: 1, timestamp: time, source: .app, process: "web.1", text: "hello")
        let build = LogLine(sequence: 2, timestamp: time, source: .build, text: "-----> Python")
        #expect(app.formatted == "2026-11-21T09:05:00.250Z app[web.1]: hello")
        #expect(build.formatted == "2026-11-21T09:05:00.250Z build: -----> Python")
    }

    @Test(arguments: [
        (LogFilter.all, true), (LogFilter(sources: [.app, .router]), true), (LogFilter(sources: [.build]), false),
        (LogFilter(process: "web.1"), true), (LogFilter(process: "web"), true), (LogFilter(process: "we"), false),
        (LogFilter(process: "web.12"), false), (LogFilter(process: "web.1.1"), false),
        (LogFilter(sources: [.router], process: "web"), false), (LogFilter(process: ""), false),
    ])
    func `a filter passes what it names`(filter: LogFilter, expected: Bool) {
        let line = LogLine(sequence: 1, timestamp: .distantPast, source: .app, process: "web.1", text: "")
        #expect(filter.matches(line) == expected)
    }

    @Test func `a record is read as it was written`() throws {
        let lines = [
            LogLine(
                sequence: 5, timestamp: Date(timeIntervalSince1970: 12.345678), source: .app, process: "web.1",
                text: "a\tb\r"),
            LogLine(sequence: 6, timestamp: Date(timeIntervalSince1970: -1), source: .platform, text: ""),
            LogLine(sequence: 9, timestamp: Date(timeIntervalSince1970: 0), source: .build, text: "\u{0}é👍"),
        ]
        var bytes: [UInt8] = []
        for line in lines { LogRecord.encode(line, into: &bytes) }
        #expect(LogRecord.decodeAll(bytes).lines == lines)
        // Wherever a crash tears the file, all whole records are read, and nothing else.
        for end in bytes.indices {
            let whole = bytes[..<end].count { $0 == 0x0A }
            #expect(LogRecord.decodeAll(Array(bytes[..<end])).lines == Array(lines.prefix(whole)))
        }
    }

    @Test(arguments: [
        "", "1", "1\t2\tapp\t", "x\t2\tapp\t\ttext", "1\t2\tmars\t\ttext", "99999999999999999999\t2\tapp\t\tt",
    ])
    func `damaged records are passed over`(record: String) {
        let good = "7\t0\tapp\t\tgood\n"
        let (lines, _) = LogRecord.decodeAll(Array((record + "\n" + good).utf8))
        #expect(lines.map(\.text) == ["good"])
    }
}
