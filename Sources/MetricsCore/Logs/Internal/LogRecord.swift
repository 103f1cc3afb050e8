#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// How a line is written to a segment: `sequence TAB microseconds TAB source TAB process TAB text LF`.
///
/// A line's text has no line feed and its process no tab, so that nothing needs escaping and `grep` finds everything.
/// A record without its line feed was torn by a crash and does not count.
enum LogRecord {
    /// About what a record needs besides its text.
    static let overhead = 64

    static func encode(_ line: LogLine, into bytes: inout [UInt8]) {
        let microseconds = (line.timestamp.timeIntervalSince1970 * 1_000_000).rounded()
        let time = Int64(exactly: microseconds) ?? 0
        bytes.append(contentsOf: "\(line.sequence)\t\(time)\t\(line.source.rawValue)\t\(line.process ?? "")\t".utf8)
        bytes.append(contentsOf: line.text.utf8)
        bytes.append(0x0A)
    }

    /// The line that a record without its line feed stands for; `nil` when it is damaged.
    static func decode(_ record: ArraySlice<UInt8>) -> LogLine? {
        let fields = record.split(separator: 0x09, maxSplits: 4, omittingEmptySubsequences: false)
        guard fields.count == 5,
            let sequence = UInt64(String(decoding: fields[0], as: UTF8.self)), sequence < 1 << 62,
            let microseconds = Int64(String(decoding: fields[1], as: UTF8.self)),
            let source = LogSource(rawValue: String(decoding: fields[2], as: UTF8.self))
        else { return nil }
        return LogLine(
            sequence: sequence, timestamp: Date(timeIntervalSince1970: Double(microseconds) / 1_000_000),
            source: source, process: fields[3].isEmpty ? nil : String(decoding: fields[3], as: UTF8.self),
            text: String(decoding: fields[4], as: UTF8.self))
    }

    /// The intact records of a segment, oldest first, and how many bytes end with the last line feed.
    static func decodeAll(_ bytes: [UInt8]) -> (lines: [LogLine], intactBytes: Int) {
        var lines: [LogLine] = []
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            if let line = self.decode(bytes[start..<end]) { lines.append(line) }
            start = end + 1
        }
        return (lines, start)
    }
}
