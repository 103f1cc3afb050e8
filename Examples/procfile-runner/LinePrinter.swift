import Foundation
import ProcessSupervisor
import Synchronization

/// Prints each line behind the time and the name of its process, in a colour of its own on terminals.
final class LinePrinter: OutputHandler {
    private let names: [String]
    private let isColoured: Bool
    private let width: Int
    private let gate = Mutex(())
    /// Nobody reads any more.
    private let closed: @Sendable () -> Void

    init(names: [String], isColoured: Bool, closed: @escaping @Sendable () -> Void) {
        self.names = names
        self.isColoured = isColoured
        self.width = (names + ["system"]).map(\.count).max() ?? 0
        self.closed = closed
    }

    func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        self.print(lines.map { ($0.timestamp, $0.text) }, as: id.rawValue)
    }

    /// What the runner itself has to say.
    func say(_ text: String) { self.print([(Date(), text)], as: "system") }

    private func print(_ lines: [(Date, String)], as name: String) {
        let colour = self.names.firstIndex(of: name).map { 31 + $0 % 6 } ?? 1
        let padded = name.padding(toLength: self.width, withPad: " ", startingAt: 0)
        let text = lines.map { time, text in
            let prefix = "\(Self.clock(time)) \(padded) |"
            return self.isColoured ? "\u{1b}[\(colour)m\(prefix)\u{1b}[0m \(text)\n" : "\(prefix) \(text)\n"
        }.joined()
        let isWritten = self.gate.withLock { _ in
            (try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))) != nil
        }
        if !isWritten { self.closed() }
    }

    private static func clock(_ date: Date) -> String {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return [parts.tm_hour, parts.tm_min, parts.tm_sec].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }
}
