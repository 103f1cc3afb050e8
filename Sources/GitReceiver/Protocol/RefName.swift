/// Which names references may have: git's own rules, narrowed to names that every file system can hold.
enum RefName {
    /// Why a name is refused, or nil.
    static func refusal(_ name: String) -> String? {
        guard name.hasPrefix("refs/") else { return "references begin with refs/" }
        let bytes = Array(name.utf8)
        guard bytes.count <= 1024 else { return "the name is longer than 1024 bytes" }
        let components = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard components.count >= 3 else { return "the name needs a second part, such as refs/heads/main" }
        guard components.allSatisfy(Self.isComponent), bytes.last != UInt8(ascii: "."),
            !bytes.contains("..".utf8), !bytes.contains("@{".utf8)
        else { return "not a valid reference name" }
        // To who compares characters, a slash that a combining mark follows is none.
        guard name.count(where: { $0 == "/" }) == components.count - 1 else { return "not a valid reference name" }
        if name == "refs/heads/HEAD" { return "a branch cannot be called HEAD" }
        return nil
    }

    private static func isComponent(_ part: ArraySlice<UInt8>) -> Bool {
        guard !part.isEmpty, part.count <= 250, part.first != UInt8(ascii: "."),
            !part.reversed().starts(with: "kcol.".utf8)
        else { return false }
        return part.allSatisfy { $0 > 32 && $0 != 127 && !"~^:?*[\\".utf8.contains($0) }
    }

    /// The existing name that is a directory of `name` or has it as its directory: files cannot hold both.
    static func conflict(of name: String, with names: Set<String>, directories: [String: String]) -> String? {
        Self.parents(of: name).first(where: names.contains) ?? directories[name]
    }

    /// `refs/heads/a/b` is below `refs/heads/a`, `refs/heads` and `refs`.
    static func parents(of name: String) -> [String] {
        name.indices.filter { name[$0] == "/" }.map { String(name[..<$0]) }
    }

    /// The directories of names, each with the first name in it.
    static func directories(of names: some Sequence<String>) -> [String: String] {
        Dictionary(names.flatMap { name in Self.parents(of: name).map { ($0, name) } }) { first, _ in first }
    }
}

extension [UInt8] {
    func contains(_ pattern: String.UTF8View) -> Bool {
        let wanted = Array(pattern)
        return self.indices.contains { self[$0...].starts(with: wanted) }
    }
}
