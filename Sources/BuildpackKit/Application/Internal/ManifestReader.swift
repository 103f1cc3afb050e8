/// A place in an `app.json`: reads its members and words errors with their path and line.
struct ManifestReader {
    var node: JSONNode
    var path: String

    func error(_ problem: String) -> BuildError {
        let place = self.path.isEmpty ? "" : " \(self.path):"
        return BuildError(.invalidAppManifest, "app.json, line \(self.node.line):\(place) \(problem).")
    }

    /// The place of a member, or this one where there is no such member.
    func at(_ key: String) -> ManifestReader { self.member(key) ?? self }

    private func member(_ key: String) -> ManifestReader? {
        self.node[key].map { ManifestReader(node: $0, path: self.path.isEmpty ? key : "\(self.path).\(key)") }
    }

    private func expected(_ what: String) -> BuildError { self.error("expected \(what), found \(self.node.kind)") }

    func string(_ key: String) throws(BuildError) -> String? {
        guard let member = self.member(key) else { return nil }
        guard let string = member.node.string else { throw member.expected("a string") }
        return string
    }

    func requiredString(_ key: String) throws(BuildError) -> String {
        guard self.node.members != nil else { throw self.expected("an object") }
        guard let string = try self.string(key), !string.isEmpty else { throw self.error("\"\(key)\" is missing") }
        return string
    }

    /// A string, or a number or Boolean written as one: config values are text.
    func text(_ key: String) throws(BuildError) -> String? {
        guard let member = self.member(key) else { return nil }
        switch member.node.value {
        case .string(let string): return string
        case .bool(let bool): return bool ? "true" : "false"
        case .number(let number): return member.node.integer.map(String.init) ?? String(number)
        default: throw member.expected("a string")
        }
    }

    func bool(_ key: String) throws(BuildError) -> Bool? {
        guard let member = self.member(key) else { return nil }
        guard case .bool(let bool) = member.node.value else { throw member.expected("true or false") }
        return bool
    }

    /// Shell text: one line, not an empty one.
    func command(_ key: String) throws(BuildError) -> String? {
        guard let text = try self.string(key), let member = self.member(key) else { return nil }
        guard text.contains(where: { !$0.isWhitespace }), !text.contains("\0"), text.utf8.count <= 16384 else {
            throw member.error("expected a command of 1 to 16384 bytes; leave the key out for none")
        }
        return text
    }

    /// Bytes, from a text such as `400M` or `2G`.
    func memory(_ key: String) throws(BuildError) -> Int? {
        guard let text = try self.string(key), let member = self.member(key) else { return nil }
        let unit = ["M": 1 << 20, "G": 1 << 30][text.suffix(1).uppercased()]
        guard let unit, let number = Int(text.dropLast()), (1...1 << 20).contains(number) else {
            throw member.error("expected an amount of memory such as \"400M\" or \"2G\", found \"\(text)\"")
        }
        return number * unit
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(BuildError) -> Int? {
        guard let member = self.member(key) else { return nil }
        guard let integer = member.node.integer, range.contains(integer) else {
            throw member.error("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func object(_ key: String) throws(BuildError) -> ManifestReader? {
        guard let member = self.member(key) else { return nil }
        guard member.node.members != nil else { throw member.expected("an object") }
        return member
    }

    func members(_ key: String) throws(BuildError) -> [(String, ManifestReader)] {
        guard let member = try self.object(key), let members = member.node.members else { return [] }
        return members.map { ($0.key, ManifestReader(node: $0.value, path: "\(member.path).\($0.key)")) }
    }

    func elements(_ key: String) throws(BuildError) -> [ManifestReader] {
        try self.member(key)?.elements() ?? []
    }

    func elements() throws(BuildError) -> [ManifestReader] {
        guard let elements = self.node.elements else { throw self.expected("an array") }
        return elements.enumerated().map { ManifestReader(node: $1, path: "\(self.path)[\($0)]") }
    }
}
