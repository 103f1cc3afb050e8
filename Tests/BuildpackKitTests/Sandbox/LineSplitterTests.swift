import Testing

@testable import BuildpackKit

struct LineSplitterTests {
    private func lines(_ chunks: [String]) -> [String] {
        var splitter = LineSplitter()
        var lines = chunks.flatMap { splitter.append($0.utf8) }
        if let rest = splitter.finish() { lines.append(rest) }
        return lines
    }

    @Test(arguments: [
        (["a\nb\n"], ["a", "b"]),
        (["a", "b\nc"], ["ab", "c"]),
        (["a\r\nb\r", "\n"], ["a", "b"]),
        ([" 10%\r 50%\r100%\ndone"], ["100%", "done"]),
        (["\n\n"], ["", ""]),
        (["a\0b\n"], ["ab"]),
        ([], []),
    ])
    func `cuts at line ends and keeps the last state of a line`(chunks: [String], expected: [String]) {
        #expect(self.lines(chunks) == expected)
    }

    @Test func `cuts a line that never ends`() {
        let lines = self.lines([String(repeating: "x", count: 25_000)])
        #expect(lines.map(\.utf8.count) == [10_000, 10_000, 5_000])
    }
}
