package import PlatformWire

/// A log line as the client prints it: `2026-11-21T03:08:59.125Z app[web.1]: text`.
package struct LogLineFormat: Sendable {
    private let isColoured: Bool
    private let isTerminal: Bool

    /// Lines for a terminal lose escape sequences other than colours; lines for a file or a pipe stay as they are.
    package init(isTerminal: Bool, isColoured: Bool) {
        self.isTerminal = isTerminal
        self.isColoured = isColoured
    }

    /// The line, without an end.
    package func text(_ line: LogLineInfo) -> String {
        let prefix = "\(WireJSON.text(of: line.timestamp)) \(line.source)\(line.process.map { "[\($0)]" } ?? ""):"
        let text = self.isTerminal ? TerminalText.coloured(line.text) : line.text
        guard self.isColoured else { return "\(self.isTerminal ? TerminalText.line(prefix) : prefix) \(text)" }
        return "\u{1b}[\(Self.colour(of: line))m\(TerminalText.line(prefix))\u{1b}[0m \(text)"
    }

    /// The same process has the same colour in every run: it is drawn from the bytes of its name.
    private static func colour(of line: LogLineInfo) -> Int {
        let palette = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]
        let name = line.process ?? line.source
        let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return palette[Int(hash % UInt32(palette.count))]
    }
}
