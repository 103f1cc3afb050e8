/// A version of an interpreter: `3.11.2`.
struct SoftwareVersion: Hashable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int
    var patch: Int

    init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `3.11.2`, `v20.1.0` or `3.13.0rc1`, of which the numbers count.
    init?(_ text: some StringProtocol) {
        guard let numbers = Self.numbers(text.hasPrefix("v") ? text.dropFirst()[...] : text[...]), !numbers.isEmpty
        else {
            return nil
        }
        self.init(numbers[0], numbers.count > 1 ? numbers[1] : 0, numbers.count > 2 ? numbers[2] : 0)
    }

    var description: String { "\(self.major).\(self.minor).\(self.patch)" }

    static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.major, lhs.minor, lhs.patch) < (rhs.major, rhs.minor, rhs.patch)
    }

    /// The leading numbers of a dotted version, at most three; nil when one is no number.
    static func numbers(_ text: some StringProtocol) -> [Int]? {
        var numbers: [Int] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false).prefix(3) {
            let digits = part.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits), digits.count < 10 else { return nil }
            numbers.append(number)
            if digits.count != part.count { break }
        }
        return numbers
    }
}
