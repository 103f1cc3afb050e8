/// Which Python an application asks for.
struct PythonVersionRequest: Hashable {
    enum Constraint: Hashable {
        case any
        /// `3`, `3.11` or `3.11.4`.
        case exactly([Int])
        /// `>=3.10,<4`, as in `requires-python`.
        case specifiers(PythonVersionSpecifiers)
    }

    var constraint: Constraint
    /// The file that says so.
    var origin: String

    /// As the file has it.
    var text: String {
        switch self.constraint {
        case .any: "any"
        case .exactly(let numbers): numbers.map(String.init).joined(separator: ".")
        case .specifiers(let specifiers): specifiers.text
        }
    }

    func admits(_ version: SoftwareVersion) -> Bool {
        switch self.constraint {
        case .any: true
        case .exactly(let numbers): [version.major, version.minor, version.patch].starts(with: numbers)
        case .specifiers(let specifiers): specifiers.admit(version)
        }
    }

    /// The same with the patch version left open: another patch of the same minor version is compatible.
    var withoutPatch: PythonVersionRequest? {
        guard case .exactly(let numbers) = self.constraint, numbers.count == 3 else { return nil }
        return PythonVersionRequest(constraint: .exactly(Array(numbers.prefix(2))), origin: self.origin)
    }

    /// Reads `.python-version`: one line `X.Y` or `X.Y.Z`, comments and blank lines apart.
    static func pythonVersionFile(_ text: String) throws(BuildError) -> PythonVersionRequest {
        let lines = text.withoutByteOrderMark.lines.map(\.trimmed).filter { !$0.isEmpty && !$0.hasPrefix("#") }
        guard lines.count == 1, let numbers = Self.exactNumbers(lines[0]) else {
            throw BuildError(
                .invalidSource,
                ".python-version must hold one version such as `3.12` or `3.12.1`, and holds "
                    + (lines.isEmpty ? "none." : "`\(lines.joined(separator: " ").abbreviated)`."))
        }
        return PythonVersionRequest(constraint: .exactly(numbers), origin: ".python-version")
    }

    /// Reads `runtime.txt`: `python-3.11.4` or `python-3.11.x`.
    static func runtimeFile(_ text: String) throws(BuildError) -> PythonVersionRequest {
        let line = text.withoutByteOrderMark.trimmed
        var version = line.hasPrefix("python-") ? line.dropFirst("python-".count) : ""
        if version.hasSuffix(".x") || version.hasSuffix(".*") { version = version.dropLast(2) }
        guard let numbers = Self.exactNumbers(version) else {
            throw BuildError(
                .invalidSource,
                "runtime.txt must hold a version such as `python-3.11.4` or `python-3.11.x`, and holds "
                    + "`\(line.abbreviated)`. (A `.python-version` file with `3.11` is the newer way to say it.)")
        }
        return PythonVersionRequest(constraint: .exactly(numbers), origin: "runtime.txt")
    }

    private static func exactNumbers(_ text: Substring) -> [Int]? {
        guard text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }),
            text.split(separator: ".", omittingEmptySubsequences: false).count <= 3
        else { return nil }
        return SoftwareVersion.numbers(text)
    }
}

/// The version specifiers of `requires-python` (PEP 440), and the caret that Poetry has beside them.
struct PythonVersionSpecifiers: Hashable {
    private struct Specifier: Hashable {
        var comparison: String
        var numbers: [Int]
        var isWildcard: Bool
    }

    let text: String
    private let specifiers: [Specifier]

    /// nil when the text is none.
    init?(_ text: String) {
        var specifiers: [Specifier] = []
        for part in text.split(separator: ",").map(\.trimmed) where !part.isEmpty && part != "*" {
            let comparison = String(part.prefix { "<>=!~^".contains($0) })
            var version = part.dropFirst(comparison.count).trimmed
            guard !version.contains(where: { $0.isWhitespace || $0 == "|" }) else { return nil }
            let isWildcard = version.hasSuffix(".*")
            if isWildcard { version = version.dropLast(2) }
            guard ["", "==", "===", "!=", "<=", ">=", "<", ">", "~=", "^", "~"].contains(comparison),
                let numbers = SoftwareVersion.numbers(version), !numbers.isEmpty
            else { return nil }
            specifiers.append(Specifier(comparison: comparison, numbers: numbers, isWildcard: isWildcard))
        }
        self.text = text
        self.specifiers = specifiers
    }

    func admit(_ version: SoftwareVersion) -> Bool {
        self.specifiers.allSatisfy { Self.admits($0, version) }
    }

    private static func admits(_ specifier: Specifier, _ version: SoftwareVersion) -> Bool {
        let numbers = specifier.numbers
        let parts = [version.major, version.minor, version.patch]
        let padded = numbers + Array(repeating: 0, count: 3 - numbers.count)
        let bound = SoftwareVersion(padded[0], padded[1], padded[2])
        let matches = specifier.isWildcard ? parts.starts(with: numbers) : version == bound
        switch specifier.comparison {
        // `3.11` alone is Poetry's and Pipenv's way to say `3.11.*`.
        case "": return parts.starts(with: numbers)
        case "==", "===": return matches
        case "!=": return !matches
        case "<=": return version <= bound
        case ">=": return version >= bound
        case "<": return version < bound
        case ">": return version > bound
        // Compatible: at least this, and the same up to the last number but one.
        case "~=": return version >= bound && parts.starts(with: numbers.dropLast())
        case "^": return version >= bound && parts.starts(with: numbers.prefix(1))
        case "~": return version >= bound && parts.starts(with: numbers.prefix(2))
        default: return false
        }
    }
}
