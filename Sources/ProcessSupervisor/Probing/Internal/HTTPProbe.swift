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
        private var bytes: [UInt8] = []

        /// Adds bytes, nil at the end of the connection. Returns whether enough is known.
        mutating func append(_ more: [UInt8]?, wantsBody: Bool) -> Bool {
            guard let more else { return true }
            self.bytes += more.prefix(Self.limit - self.bytes.count)
            if self.bytes.count >= Self.limit { return true }
            guard let head = self.head else { return false }
            if !wantsBody || self.bytes.count - head > 400 { return true }
            if let length = self.field("content-length").flatMap({ Int($0) }) {
                return self.bytes.count - head >= length
            }
            return self.body.contains(UInt8(ascii: "\n"))
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

        /// The body as far as it is here, without the line that tells the length of its first chunk.
        private var body: ArraySlice<UInt8> {
            guard let head = self.head else { return [] }
            let body = self.bytes[head...]
            guard self.field("transfer-encoding")?.lowercased().contains("chunked") == true else { return body }
            return body.drop { $0 != UInt8(ascii: "\n") }.dropFirst()
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
