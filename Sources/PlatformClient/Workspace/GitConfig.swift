/// What a git configuration file says about remotes; enough to find `slipway`'s without the git program.
///
/// Sections, quoted subsections, comments, quotes, escapes and continued lines are understood; includes are not followed.
package struct GitConfig: Sendable, Equatable {
    /// Values by `section.subsection.key`, the last one said. Section and key are in lower case, as git ignores theirs.
    private var values: [String: String] = [:]

    /// Reads the text of a configuration file. What git would refuse is skipped.
    package init(parsing text: String) {
        var section = ""
        for line in Self.logicalLines(of: text) {
            var rest = Substring(line).drop { $0.isWhitespace }
            if rest.first == "[" {
                guard let header = Self.header(&rest) else { continue }
                section = header
                rest = rest.drop { $0.isWhitespace }
            }
            guard let first = rest.first, first != "#", first != ";", !section.isEmpty else { continue }
            let key = rest.prefix { $0 != "=" && !$0.isWhitespace && $0 != "#" && $0 != ";" }.lowercased()
            let value = rest.drop { $0 != "=" }.dropFirst()
            self.values["\(section).\(key)"] = Self.value(value)
        }
    }

    /// The address of a remote.
    package func url(ofRemote name: String) -> String? { self.values["remote.\(name).url"] }

    private static func logicalLines(of text: String) -> [String] {
        var lines: [String] = []
        var continued = ""
        // A line end may be CR LF, which is one Character.
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if line.hasSuffix("\\"), !line.hasSuffix("\\\\") {
                continued += line.dropLast()
            } else {
                lines.append(continued + line)
                continued = ""
            }
        }
        return lines
    }

    /// `[remote "origin"]` as `remote.origin`.
    private static func header(_ rest: inout Substring) -> String? {
        rest.removeFirst()
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "." }
        rest = rest.dropFirst(name.count).drop { $0.isWhitespace }
        var section = name.lowercased()
        if rest.first == "\"" {
            rest.removeFirst()
            section += "."
            while let character = rest.popFirst(), character != "\"" {
                if character == "\\", let escaped = rest.popFirst() {
                    section.append(escaped)
                } else {
                    section.append(character)
                }
            }
        }
        guard rest.popFirst() == "]" else { return nil }
        return section
    }

    private static func value(_ text: Substring) -> String {
        var rest = text.drop { $0.isWhitespace }
        var value = ""
        var kept = 0  // the length that trailing blanks must not be cut from
        var isQuoted = false
        while let character = rest.popFirst() {
            switch character {
            case "\"":
                isQuoted.toggle()
                kept = value.count
            case "\\":
                switch rest.popFirst() {
                case "n": value.append("\n")
                case "t": value.append("\t")
                case let other?: value.append(other)
                case nil: break
                }
                kept = value.count
            case "#" where !isQuoted, ";" where !isQuoted:
                return Self.trimmed(value, keeping: kept)
            default:
                value.append(character)
                if isQuoted { kept = value.count }
            }
        }
        return Self.trimmed(value, keeping: kept)
    }

    private static func trimmed(_ value: String, keeping kept: Int) -> String {
        var value = value
        while value.count > kept, value.last?.isWhitespace == true { value.removeLast() }
        return value
    }
}
