/// A range of versions as npm writes it in `engines`: `>=18 <21`, `20.x`, `^20.1.0 || ^22`, `18 - 20`.
struct NodeVersionRange: Hashable {
    private struct Comparator: Hashable {
        var lower: SoftwareVersion?
        /// Exclusive.
        var upper: SoftwareVersion?

        func admits(_ version: SoftwareVersion) -> Bool {
            (self.lower.map { version >= $0 } ?? true) && (self.upper.map { version < $0 } ?? true)
        }
    }

    let text: String
    /// One of these must have all its comparators met.
    private let alternatives: [[Comparator]]

    /// nil when the text is no range.
    init?(_ text: String) {
        self.text = text
        var alternatives: [[Comparator]] = []
        for part in text.split(separator: "|", omittingEmptySubsequences: true) {
            guard let comparators = Self.comparators(part.trimmed) else { return nil }
            alternatives.append(comparators)
        }
        self.alternatives = alternatives.isEmpty ? [[]] : alternatives
    }

    func admits(_ version: SoftwareVersion) -> Bool {
        self.alternatives.contains { $0.allSatisfy { $0.admits(version) } }
    }

    private static func comparators(_ text: Substring) -> [Comparator]? {
        var words = text.split(whereSeparator: \.isWhitespace)
        if words.count == 3, words[1] == "-" {
            guard let from = Self.partial(words[0]), let to = Self.partial(words[2]) else { return nil }
            return [Comparator(lower: Self.floor(from), upper: Self.ceiling(to, keeping: to.count))]
        }
        // `>= 18` with a blank in between.
        var index = 0
        while index + 1 < words.count {
            if words[index].allSatisfy({ "<>=~^".contains($0) }) {
                words[index] = Substring(words[index] + words.remove(at: index + 1))
            }
            index += 1
        }
        var result: [Comparator] = []
        for word in words {
            guard let comparator = Self.comparator(word) else { return nil }
            result.append(comparator)
        }
        return result
    }

    private static func comparator(_ word: Substring) -> Comparator? {
        let sign = String(word.prefix { "<>=~^".contains($0) })
        guard let numbers = Self.partial(word.dropFirst(sign.count)) else { return nil }
        if numbers.isEmpty { return Comparator() }
        let floor = Self.floor(numbers)
        switch sign {
        case "", "=": return Comparator(lower: floor, upper: Self.ceiling(numbers, keeping: numbers.count))
        case ">=": return Comparator(lower: floor)
        case ">": return Comparator(lower: Self.ceiling(numbers, keeping: numbers.count))
        case "<": return Comparator(upper: floor)
        case "<=": return Comparator(upper: Self.ceiling(numbers, keeping: numbers.count))
        case "~", "~>": return Comparator(lower: floor, upper: Self.ceiling(numbers, keeping: min(2, numbers.count)))
        case "^":
            let significant = numbers.firstIndex { $0 != 0 } ?? numbers.count - 1
            return Comparator(lower: floor, upper: Self.ceiling(numbers, keeping: significant + 1))
        default: return nil
        }
    }

    /// The numbers of `20`, `20.x` or `v20.1.0`; empty for `*`.
    private static func partial(_ text: Substring) -> [Int]? {
        let text = text.hasPrefix("v") ? text.dropFirst() : text
        if ["", "*", "x", "X", "latest", "node"].contains(text) { return [] }
        var numbers: [Int] = []
        // A pre-release or build suffix says nothing about which release to take.
        for part in text.prefix(while: { $0 != "-" && $0 != "+" }).split(separator: ".").prefix(3) {
            if part == "x" || part == "X" || part == "*" { break }
            guard let number = Int(part), number >= 0 else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    private static func floor(_ numbers: [Int]) -> SoftwareVersion {
        SoftwareVersion(numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0, numbers.count > 2 ? numbers[2] : 0)
    }

    /// The first version that differs from `numbers` in its first `count` parts.
    private static func ceiling(_ numbers: [Int], keeping count: Int) -> SoftwareVersion? {
        switch count {
        case 0: nil
        case 1: SoftwareVersion(numbers[0] &+ 1, 0, 0)
        case 2: SoftwareVersion(numbers[0], numbers[1] &+ 1, 0)
        default: SoftwareVersion(numbers[0], numbers[1], numbers[2] &+ 1)
        }
    }
}
