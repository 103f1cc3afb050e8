/// Makes lines of what a source wrote.
enum LogText {
    /// The lines of `text`: split at line feeds, without carriage returns, each at most `limit` bytes.
    ///
    /// A line feed at the very end ends the last line and begins no further one.
    static func lines(_ text: String, limit: Int) -> [String] {
        let bytes = text.utf8
        if bytes.count <= limit, !bytes.contains(where: { $0 == 0x0A || $0 == 0x0D }) { return [text] }
        var result: [String] = []
        var rest = bytes[...]
        while true {
            let end = rest.firstIndex(of: 0x0A)
            var line = rest[..<(end ?? rest.endIndex)]
            while line.last == 0x0D { line = line.dropLast() }
            self.split(line, limit: limit, into: &result)
            guard let end else { return result }
            rest = rest[rest.index(after: end)...]
            if rest.isEmpty { return result }
        }
    }

    /// A process name that cannot break the line's frame: no blanks, brackets or control characters, at most 64 bytes.
    static func processName(_ name: String) -> String {
        func isPlain(_ byte: UInt8) -> Bool {
            byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "[") && byte != UInt8(ascii: "]")
        }
        if name.utf8.count <= 64, name.utf8.allSatisfy(isPlain) { return name }
        return String(decoding: name.utf8.prefix(64).map { isPlain($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }

    private static func split(_ line: Substring.UTF8View, limit: Int, into result: inout [String]) {
        var rest = line
        while rest.count > limit {
            var end = rest.index(rest.startIndex, offsetBy: limit)
            // Never within a scalar: a continuation byte (10xxxxxx) does not begin one.
            while end > rest.startIndex, rest[end] & 0xC0 == 0x80 { end = rest.index(before: end) }
            result.append(String(Substring(rest[..<end])))
            rest = rest[end...]
        }
        result.append(String(Substring(rest)))
    }
}
