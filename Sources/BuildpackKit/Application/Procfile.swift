/// The process types that an application declares in its `Procfile`.
///
/// The grammar is foreman's: one `NAME: COMMAND` per line, names of letters, digits, `-` and `_`. Blank lines and lines
/// that start with `#` are skipped. Every other line is an error that says what is wrong with it, because a process
/// type that silently does not exist is found out much later.
public struct Procfile: Hashable, Sendable {
    /// The declared types, in the order of the file.
    public var processTypes: [ProcessType]

    /// The most types that a `Procfile` may declare.
    public static let maximumTypes = 100
    /// The longest name of a type, in bytes.
    public static let maximumNameLength = 63

    /// Creates a Procfile from types.
    public init(processTypes: [ProcessType]) {
        self.processTypes = processTypes
    }

    /// Reads a Procfile.
    ///
    /// - Throws: ``BuildError/Code/invalidProcfile``, naming the line.
    public init(parsing text: String) throws(BuildError) {
        var types: [ProcessType] = []
        var lineOfName: [String: Int] = [:]
        let lines = text.withoutByteOrderMark.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, raw) in lines.enumerated() {
            let number = index + 1
            let line = raw.trimmed
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let colon = line.firstIndex(of: ":") else {
                throw Self.error(number, "expected `NAME: COMMAND`, found `\(line.abbreviated)`, which has no colon")
            }
            let name = String(line[..<colon])
            let command = String(line[line.index(after: colon)...].trimmed)
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isNameByte) else {
                throw Self.error(
                    number, "`\(name.abbreviated)` is no name of a process type: use letters, digits, `-` and `_`")
            }
            guard name.utf8.count <= Self.maximumNameLength else {
                throw Self.error(
                    number, "the name `\(name.abbreviated)` is longer than \(Self.maximumNameLength) bytes")
            }
            guard !command.isEmpty else {
                throw Self.error(number, "process type `\(name)` has no command; write `\(name): COMMAND` on one line")
            }
            guard !command.hasSuffix("\\") else {
                throw Self.error(
                    number, "the command of `\(name)` ends with a backslash; a Procfile has no continued lines")
            }
            if let first = lineOfName.updateValue(number, forKey: name) {
                throw Self.error(number, "process type `\(name)` is declared already on line \(first)")
            }
            types.append(ProcessType(name: name, command: command))
            guard types.count <= Self.maximumTypes else {
                throw Self.error(number, "more than \(Self.maximumTypes) process types")
            }
        }
        guard !types.isEmpty else {
            throw BuildError(
                .invalidProcfile,
                "Procfile declares no process type. Add a line such as `web: COMMAND`, or remove the file.")
        }
        self.processTypes = types
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func error(_ line: Int, _ what: String) -> BuildError {
        BuildError(.invalidProcfile, "Procfile, line \(line): \(what).")
    }
}
