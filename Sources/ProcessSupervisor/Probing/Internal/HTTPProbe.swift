/// The little HTTP that a probe speaks.
enum HTTPProbe {
    static func request(path: String, headers: [String: String], host: String) -> [UInt8] {
        var lines = ["GET \(Self.clean(path)) HTTP/1.1"]
        var fields = ["Host": host, "User-Agent": "slipway-probe", "Accept": "*/*", "Connection": "close"]
        for (name, value) in headers {
            for present in fields.keys where present.lowercased() == name.lowercased() { fields[present] = nil }
            fields[name] = value
        }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            lines.append("\(Self.clean(name)): \(Self.clean(value))")
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// Line ends in a configured text must not become other headers.
    private static func clean(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }))
    }

    /// The beginning of a response, as far as a probe reads it.
    struct Response {
        static let limit = 16384
        /// The most pieces that are looked at: who drips byte by byte must not keep this host busy.
        static let maxPieces = 256
        private var bytes: [UInt8] = []
        private var pieces = 0

        /// Whether nothing more can come: the connection has ended, or the limit is reached.
        private var hasEnded = false

        /// Adds bytes, nil at the end of the connection.
        mutating func append(_ more: [UInt8]?) {
            self.bytes += (more ?? []).prefix(Self.limit - self.bytes.count)
            self.pieces += 1
            self.hasEnded = more == nil || self.bytes.count >= Self.limit || self.pieces >= Self.maxPieces
        }

        /// Whether the body is here as far as it ever will be.
        private var isComplete: Bool {
            if self.hasEnded { return true }
            guard let head = self.head else { return false }
            if self.isChunked { return self.chunks.isLast }
            return self.field("content-length").flatMap { Int($0) }.map { self.bytes.count - head >= $0 } ?? false
        }

        /// Whether there is an ``excerpt``, or never will be.
        var hasExcerpt: Bool {
            self.isComplete || self.body.count > 400 || self.body.contains(UInt8(ascii: "\n"))
        }

        /// Whether it is known if the body contains a text.
        func settles(_ text: String) -> Bool { self.isComplete || self.contains(text) }

        /// Whether the text is in what is here of the body.
        func contains(_ text: String) -> Bool {
            let (body, wanted) = (self.body, Array(text.utf8))
            guard !wanted.isEmpty else { return true }
            return body.indices.contains { body[$0] == wanted[0] && body[$0...].starts(with: wanted) }
        }

        /// The status, when its line is there.
        var status: Int? {
            guard self.bytes.starts(with: Array("HTTP/1.".utf8)) else { return nil }
            let fields = self.bytes.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
                .split(separator: UInt8(ascii: " "))
            guard fields.count >= 2, fields[1].count == 3 else { return nil }
            return Int(String(decoding: fields[1], as: UTF8.self))
        }

        /// The first line of the body, for the human who has to find out why.
        var excerpt: String? {
            let text = String(decoding: self.body.prefix(200).prefix { $0 >= 32 || $0 == 9 }, as: UTF8.self)
            return text.isEmpty ? nil : text
        }

        /// Where the body begins.
        private var head: Int? {
            let end = Array("\r\n\r\n".utf8)
            guard self.bytes.count >= end.count else { return nil }
            for index in 0...(self.bytes.count - end.count) where self.bytes[index...].starts(with: end) {
                return index + end.count
            }
            return nil
        }

        /// The body as far as it is here, put together from its chunks.
        private var body: ArraySlice<UInt8> {
            guard let head = self.head else { return [] }
            return self.isChunked ? self.chunks.body : self.bytes[head...]
        }

        private var isChunked: Bool {
            self.field("transfer-encoding")?.lowercased().contains("chunked") == true
        }

        private var chunks: (body: ArraySlice<UInt8>, isLast: Bool) {
            var body: ArraySlice<UInt8> = []
            var rest = self.bytes[(self.head ?? self.bytes.endIndex)...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self).prefix { $0.isHexDigit }
                guard let count = Int(line, radix: 16), count > 0 else { return (body, true) }
                rest = rest[(end + 1)...]
                body += rest.prefix(count)
                guard rest.count - 2 >= count else { break }
                rest = rest.dropFirst(count + 2)
            }
            return (body, false)
        }

        /// The value of a header, its name in small letters.
        private func field(_ name: String) -> String? {
            guard let head = self.head else { return nil }
            for line in String(decoding: self.bytes[..<head], as: UTF8.self).split(separator: "\r\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2, parts[0].lowercased() == name { return String(parts[1].drop { $0 == " " }) }
            }
            return nil
        }
    }
}
