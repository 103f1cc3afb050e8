/// What comes after the command: words, and options with `--`.
struct Arguments {
    /// An option that there is not, or without its value.
    struct Unknown: Error, CustomStringConvertible {
        var description: String
    }

    private static let flags: Set = ["keep-links"]
    private static let valued: Set = ["name", "path", "platform", "type", "base", "mount-from"]

    private(set) var words: [String] = []
    private var options: [String: String] = [:]

    init(_ arguments: some Sequence<String>) throws {
        var rest = Array(arguments)[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                self.words.append(word)
                continue
            }
            let name = String(word.dropFirst(2))
            if Self.flags.contains(name) {
                self.options[name] = ""
            } else if Self.valued.contains(name), let value = rest.popFirst() {
                self.options[name] = value
            } else {
                throw Unknown(description: "There is no option \(word), or its value is missing.")
            }
        }
    }

    subscript(name: String) -> String? { self.options[name] }

    /// Refuses options that mean nothing here.
    func allow(_ names: Set<String>) throws {
        if let name = Set(self.options.keys).subtracting(names).sorted().first {
            throw Unknown(description: "--\(name) means nothing here.")
        }
    }
}
