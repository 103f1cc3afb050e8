#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// How people write times, sizes and releases.
package enum Quantities {
    /// The duration that `90`, `90s`, `15m`, `1h`, `2d` or `1h30m` mean; `nil` for anything else. A bare number is seconds.
    package static func duration(_ text: String) -> Duration? {
        if let seconds = Int64(text) { return seconds > 0 && seconds <= Self.maximumSeconds ? .seconds(seconds) : nil }
        var total: Int64 = 0
        var rest = Substring(text)
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            guard let number = Int64(digits), let unit = rest.popFirst(), let seconds = Self.units[unit] else {
                return nil
            }
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: seconds)
            guard !isTooLarge, product <= Self.maximumSeconds else { return nil }
            total += product
            guard total <= Self.maximumSeconds else { return nil }
        }
        return total > 0 ? .seconds(total) : nil
    }

    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    private static let maximumSeconds: Int64 = 366 * 86_400

    /// `v3` or `3` as 3.
    package static func version(_ text: String) -> Int? {
        let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
        guard digits.allSatisfy({ ("0"..."9").contains($0) }), let version = Int(digits), version > 0 else {
            return nil
        }
        return version
    }

    /// `42s`, `17m`, `3h`, `5d`: the time between two dates in its largest unit.
    package static func age(from start: Date, to end: Date) -> String {
        let seconds = Int64(max(0, end.timeIntervalSince(start)))
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m"
        case ..<86_400: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }

    /// `512 B`, `1.5 KiB`, `23 MiB`.
    package static func bytes(_ count: Int64) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "B" ? "\(count) B" : "\(Self.short(value)) \(unit)" }
            value /= 1024
        }
        return "\(Self.short(value)) TiB"
    }

    /// `1 slug`, `2 slugs`: of a noun whose plural is regular.
    package static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// Two significant places for what is small, whole numbers for what is large: `0.25`, `3.1`, `42`.
    package static func short(_ value: Double) -> String {
        switch abs(value) {
        case 0: "0"
        case ..<1: Self.fixed(value, places: 2)
        case ..<10: Self.fixed(value, places: 1)
        default: Self.fixed(value, places: 0)
        }
    }

    private static func fixed(_ value: Double, places: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        let scale = [1.0, 10.0, 100.0][places]
        let scaled = Int64((value * scale).rounded())
        let sign = scaled < 0 ? "-" : ""
        let whole = abs(scaled) / Int64(scale)
        if places == 0 { return "\(sign)\(whole)" }
        let fraction = String(abs(scaled) % Int64(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
