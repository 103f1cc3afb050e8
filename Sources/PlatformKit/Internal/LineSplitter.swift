internal import Synchronization

/// Cuts raw output into lines; thread-safe.
final class LineSplitter: Sendable {
    private let rest = Mutex<[UInt8]>([])
    private let limit = 10_000

    func add(_ bytes: [UInt8]) -> [String] {
        self.rest.withLock { rest in
            rest.append(contentsOf: bytes)
            var lines: [String] = []
            // One removal at the end: one per line would move the rest as often as there are lines.
            var start = rest.startIndex
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(Self.text(rest[start..<end]))
                start = end + 1
            }
            rest.removeSubrange(..<start)
            if rest.count > self.limit {
                lines.append(Self.text(rest[...]))
                rest = []
            }
            return lines
        }
    }

    func finish() -> [String] {
        self.rest.withLock { rest in
            defer { rest = [] }
            return rest.isEmpty ? [] : [Self.text(rest[...])]
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let line = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        return String(decoding: line, as: UTF8.self)
    }
}
