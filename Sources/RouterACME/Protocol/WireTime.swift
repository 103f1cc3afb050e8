#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The two ways of writing a time that authorities use.
enum WireTime {
    /// `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3). Nil when it is neither.
    static func retryAfter(_ text: String, now: Date) -> Duration? {
        if let seconds = Int(text) { return seconds < 0 ? nil : .seconds(min(seconds, 366 * 86_400)) }
        guard let date = self.httpDate(text) else { return nil }
        return .seconds(min(max(date.timeIntervalSince(now), 0), 366 * 86_400))
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that may still be sent.
    static func httpDate(_ text: String) -> Date? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == ":" })
        guard words.count == 8, words[7] == "GMT", let day = Int(words[1]), let year = Int(words[3]),
            let month = self.months.firstIndex(where: { $0 == words[2] }), (1970...9999).contains(year),
            let hour = Int(words[4]), let minute = Int(words[5]), let second = Int(words[6]), (1...31).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return self.timestamp(
            "\(year)-\(two(month + 1))-\(two(day))T\(two(hour)):\(two(minute)):\(two(min(second, 59)))Z")
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// RFC 3339, with or without parts of a second.
    static func timestamp(_ text: String) -> Date? {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
