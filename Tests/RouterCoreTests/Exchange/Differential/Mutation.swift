@testable import RouterCore

/// Damages requests in the ways in which parsers have been led astray.
enum Mutation {
    private static let fragments = [
        "\r\n", "\n", "\r", " ", "\t", "\0", ":", "\u{0B}", "\u{0C}", "\u{85}", "\u{A0}", "Content-Length: 5\r\n",
        "Content-Length: 0\r\n", "Content-Length: +5\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: x\r\n",
        "Host: evil\r\n", "Connection: close\r\n", "Connection: content-length\r\n", "Connection: host\r\n",
        "0\r\n\r\n",
        ";", ";a=\"\r\n\"", "0x5", "\u{FF}", "\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.0",
        "HTTP/0.9", "HTTP/2.0", "Content_Length: 3\r\n", ", chunked", "chunked", "#", "//", "http://b/", "\\",
        "X:\r\n y\r\n",
        "Expect: 100-continue\r\n", "Upgrade: h2c\r\n", "Trailer: Content-Length\r\n", "CONNECT ", "OPTIONS * ",
    ]

    static func apply(to seed: [UInt8], _ random: inout LoopRandom) -> [UInt8] {
        var bytes = seed
        for _ in 0..<(1 + random.next() % 3) {
            if bytes.isEmpty { bytes = [13] }
            let position = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 6 {
            case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: position)
            case 2:
                let fragment = self.fragments[Int(random.next() % UInt64(self.fragments.count))]
                bytes.insert(contentsOf: fragment.utf8, at: position)
            case 3: bytes.insert(bytes[position], at: position)
            case 4: bytes[position] ^= 0x20
            default:
                // A whole line once more, at the start of another.
                let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) + [10] }
                let line = lines[Int(random.next() % UInt64(lines.count))]
                let start = bytes[..<position].lastIndex(of: 10).map { $0 + 1 } ?? 0
                bytes.insert(contentsOf: line, at: start)
            }
        }
        return bytes
    }
}
