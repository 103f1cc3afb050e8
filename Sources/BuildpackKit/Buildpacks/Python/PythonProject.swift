/// What the files of a Python application say: which Python, which packages.
struct PythonProject: Sendable {
    /// The packages to install.
    struct Dependencies: Hashable, Sendable {
        /// Where they are listed, for the log.
        var origin: String
        /// A requirements file to write first, when the list is in no file that pip reads.
        var generated: String?
        /// What pip is to install, when it is nothing generated.
        var arguments: [String]
        /// The text that decides what will be installed; nil when files of the application itself are installed too.
        var key: String?
    }

    let source: SourceTree
    private let pyproject: PyprojectFile?

    init(_ source: SourceTree) throws(BuildError) {
        self.source = source
        self.pyproject = try source.text(of: "pyproject.toml").map { text throws(BuildError) in
            try PyprojectFile(parsing: text)
        }
    }

    func version() throws(BuildError) -> PythonVersionRequest {
        if let text = try self.source.text(of: ".python-version") { return try .pythonVersionFile(text) }
        if let text = try self.source.text(of: "runtime.txt"), text.contains("python") { return try .runtimeFile(text) }
        if let specifiers = self.pyproject?.python {
            return PythonVersionRequest(constraint: .specifiers(specifiers), origin: "pyproject.toml")
        }
        return PythonVersionRequest(constraint: .any, origin: "")
    }

    /// The dependencies by the first file that lists any: `requirements.txt`, `Pipfile.lock`, `Pipfile`,
    /// `pyproject.toml`, `setup.py`.
    func dependencies() throws(BuildError) -> Dependencies? {
        if self.source.hasFile("requirements.txt") {
            return Dependencies(
                origin: "requirements.txt", arguments: ["-r", "requirements.txt"],
                key: try self.requirementsKey("requirements.txt"))
        }
        if let pipenv = try PipenvFile(self.source) {
            return Dependencies(
                origin: pipenv.name, generated: pipenv.requirements, arguments: [], key: pipenv.requirements)
        }
        if let pyproject {
            if pyproject.isPackage { return Dependencies(origin: "pyproject.toml", arguments: ["."], key: nil) }
            if let list = pyproject.dependencies {
                let text = list.map { $0 + "\n" }.joined()
                return Dependencies(origin: "pyproject.toml", generated: text, arguments: [], key: text)
            }
        }
        if self.source.hasFile("setup.py") { return Dependencies(origin: "setup.py", arguments: ["."], key: nil) }
        return nil
    }

    /// The text of a requirements file and of all that it includes; nil when it installs what is in the application.
    private func requirementsKey(_ path: String) throws(BuildError) -> String? {
        var key = ""
        var pending = [path]
        var seen: Set<String> = []
        while let path = pending.popLast() {
            guard seen.insert(path).inserted else { continue }
            guard let text = try self.source.text(of: path) else { return nil }
            key += "# \(path)\n\(text)\n"
            for line in text.lines.map(\.trimmed) {
                if let included = Self.includedFile(line) {
                    let directory = path.split(separator: "/").dropLast().joined(separator: "/")
                    pending.append(directory.isEmpty ? included : "\(directory)/\(included)")
                } else if Self.isLocal(line) {
                    return nil
                }
            }
        }
        return key
    }

    private static func includedFile(_ line: Substring) -> String? {
        for option in ["--requirement", "--constraint", "-r", "-c"] where line.hasPrefix(option) {
            let file = line.dropFirst(option.count).drop { $0 == "=" || $0.isWhitespace }
                .prefix { !$0.isWhitespace }
            return String(file)
        }
        return nil
    }

    private static func isLocal(_ line: Substring) -> Bool {
        line.hasPrefix(".") || line.hasPrefix("/") || line.hasPrefix("-e") || line.hasPrefix("--editable")
            || line.contains("file:") || line.contains("${") || line.hasPrefix("--find-links") || line.hasPrefix("-f")
    }
}
