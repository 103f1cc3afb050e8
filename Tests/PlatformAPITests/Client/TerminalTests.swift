import Foundation
import PlatformWire
import Testing

@testable import PlatformClient

struct TerminalTests {
    @Test(arguments: [
        ("90", 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("1h30m", 5400), ("", nil), ("0", nil),
        ("-1", nil), ("h", nil), ("1", 1), ("1x", nil), ("1h30", nil), ("99999999999999999999h", nil), ("400d", nil),
        ("9223372036854775807w", nil),
    ])
    func `reads durations as people write them`(text: String, seconds: Int?) {
        #expect(Quantities.duration(text) == seconds.map { .seconds($0) })
    }

    @Test(arguments: [
        ("v3", 3), ("3", 3), ("0", nil), ("v", nil), ("v-3", nil), ("+3", nil), ("three", nil), ("", nil),
    ])
    func `reads releases with and without their letter`(text: String, version: Int?) {
        #expect(Quantities.version(text) == version)
    }

    @Test(arguments: [
        (0, "0"), (0.004, "0.00"), (0.256, "0.26"), (3.14, "3.1"), (42.4, "42"), (-0.5, "-0.50"), (9.96, "10.0"),
    ])
    func `writes numbers no longer than they are worth`(value: Double, text: String) {
        #expect(Quantities.short(value) == text)
    }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (52_428_800, "50 MiB"), (Int64(3) << 40, "3.0 TiB"),
    ])
    func `writes sizes`(bytes: Int64, text: String) {
        #expect(Quantities.bytes(bytes) == text)
    }

    @Test(arguments: [(5, "5s"), (60, "1m"), (7300, "2h"), (200_000, "2d"), (-5, "0s")])
    func `writes ages in their largest unit`(seconds: Double, text: String) {
        let start = Date(timeIntervalSince1970: 0)
        #expect(Quantities.age(from: start, to: start.addingTimeInterval(seconds)) == text)
    }

    @Test func `aligns columns`() {
        var table = TextTable(["NAME", "COUNT", "NOTE"], right: ["COUNT"])
        table.add("web", "12", "")
        table.add("日本", "3", "a\u{1b}[2Jb\nc")
        #expect(
            table.text { "<\($0)>" } == """
                <NAME  COUNT  NOTE>
                web      12
                日本      3  a^[[2Jb c

                """)
    }

    @Test(arguments: [
        ("plain", "plain"), ("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m\u{1b}[0m"), ("\u{1b}[2Jx", "^[[2Jx"),
        ("\u{1b}]0;title\u{7}", "^[]0;title^G"), ("a\rb", "ab"), ("\u{9b}2J", "?2J"), ("tab\t", "tab\t"),
        ("\u{1b}[" + String(repeating: "1", count: 40) + "m", "^[[" + String(repeating: "1", count: 40) + "m"),
    ])
    func `lets colours through to a terminal and nothing else`(text: String, shown: String) {
        #expect(TerminalText.coloured(text) == shown)
    }

    @Test func `writes log lines as they are to a file`() {
        let line = LogLineInfo(
            sequence: 1, timestamp: Date(timeIntervalSince1970: 0.5), source: "app", process: "web.1",
            text: "a\u{1b}[2Jb")
        #expect(
            LogLineFormat(isTerminal: false, isColoured: false).text(line)
                == "1970-01-01T00:00:00.500Z app[web.1]: a\u{1b}[2Jb")
        let coloured = LogLineFormat(isTerminal: true, isColoured: true).text(line)
        #expect(coloured.contains("a^[[2Jb"))
        #expect(coloured.hasPrefix("\u{1b}["))
    }
}
