/// The lexical rules of the Prometheus text exposition format, version 0.0.4.
enum PrometheusText {
    /// A metric name made of `label`: snake case, `[a-z0-9_]` only, never empty, no leading digit.
    static func metricName(_ label: String) -> String {
        var result: [UInt8] = []
        var previousIsLower = false
        for byte in label.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                if previousIsLower { result.append(UInt8(ascii: "_")) }
                result.append(byte | 0x20)
                previousIsLower = false
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                result.append(byte)
                previousIsLower = true
            default:
                // A run of foreign characters is one separator.
                if result.last != UInt8(ascii: "_") { result.append(UInt8(ascii: "_")) }
                previousIsLower = false
            }
        }
        while result.count > 1, result.last == UInt8(ascii: "_") { result.removeLast() }
        if result.isEmpty || (result[0] >= UInt8(ascii: "0") && result[0] <= UInt8(ascii: "9")) {
            result.insert(UInt8(ascii: "_"), at: 0)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A label name made of `name`: `[a-zA-Z0-9_]`, and none that the format keeps for itself.
    static func labelName(_ name: String) -> String {
        var result: [UInt8] = name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        if let first = result.first, first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9") {
            result.insert(UInt8(ascii: "_"), at: 0)
        }
        let text = String(decoding: result, as: UTF8.self)
        if text.isEmpty || text == "le" || text == "quantile" || text.hasPrefix("__") { return "label_" + text }
        return text
    }

    /// A label value between its quotes.
    static func escapedValue(_ value: String) -> String {
        self.escaped(value, quotes: true)
    }

    /// A help text, on one line.
    static func escapedHelp(_ help: String) -> String {
        self.escaped(help, quotes: false)
    }

    /// `name="value",…` in the order of names; a repeated name keeps its first value.
    static func labels(_ dimensions: [(String, String)], valueBytes: Int) -> String {
        var pairs: [(name: String, value: String)] = []
        for (name, value) in dimensions {
            let name = self.labelName(name)
            if pairs.contains(where: { $0.name == name }) { continue }
            pairs.append((name, self.escapedValue(self.truncated(value, bytes: valueBytes))))
        }
        pairs.sort { $0.name < $1.name }
        return pairs.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
    }

    /// A sample's value.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        let special = text.utf8.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\"") || $0 == 0x0A }
        guard special else { return text }
        var result = ""
        // By scalar, because a carriage return and a line feed are one character.
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func truncated(_ text: String, bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: bytes)
        while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
            end = text.utf8.index(before: end)
        }
        return String(text[..<end])
    }
}
