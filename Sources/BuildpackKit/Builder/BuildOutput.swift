/// Writes to the build's log in the shape that users know: steps, details beneath them, warnings.
public struct BuildOutput: Sendable {
    private let log: any BuildLog
    private let meter: OutputMeter

    init(log: any BuildLog, meter: OutputMeter) {
        self.log = log
        self.meter = meter
    }

    /// `-----> text`
    public func step(_ text: String) async { await self.line("-----> \(text)") }

    /// `       text`
    public func detail(_ text: String) async { await self.line(Self.indented(text)) }

    /// ` !     text`
    public func warning(_ text: String) async { await self.line(" !     \(text)") }

    /// The line as it is.
    public func line(_ text: String) async {
        // Beyond the limit the build is being stopped already; what it still prints is of no use to anybody.
        guard self.meter.admits(text.utf8.count + 1) else { return }
        await self.log.write(text)
    }

    /// The line in the column of details; lines that are headings already stay where they are.
    static func indented(_ text: String) -> String {
        text.hasPrefix("--") || text.hasPrefix("==") ? text : "       \(text)"
    }
}
