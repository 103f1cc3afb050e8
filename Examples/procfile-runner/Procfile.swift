import ArgumentParser
import Foundation

/// What a directory says is to be run.
struct Procfile {
    struct ProcessType { var name: String, command: String }

    /// One process that is to run.
    struct Place {
        var name: String
        var command: String
        var port: Int
    }

    let types: [ProcessType]

    init(_ text: String) throws {
        var types: [ProcessType] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count == 2, !parts[1].isEmpty,
                parts[0].wholeMatch(of: /[A-Za-z0-9_-]+/) != nil
            else { throw ValidationError("Procfile, line \(number + 1): \"\(line)\" is not NAME: COMMAND.") }
            if types.contains(where: { $0.name == parts[0] }) {
                throw ValidationError("Procfile, line \(number + 1): there is a second \(parts[0]).")
            }
            types.append(ProcessType(name: parts[0], command: parts[1]))
        }
        if types.isEmpty { throw ValidationError("The Procfile names no process.") }
        self.types = types
    }

    /// What runs: of each type as many as the formation says, one if it says nothing.
    func places(_ formation: [String: Int], basePort: Int) throws -> [Place] {
        if let unknown = formation.keys.sorted().first(where: { name in
            name != "all" && !self.types.contains { $0.name == name }
        }) {
            let known = self.types.map(\.name).joined(separator: ", ")
            throw ValidationError("There is no \(unknown) in the Procfile; there is \(known).")
        }
        let places = self.types.enumerated().flatMap { index, type in
            (0..<(formation[type.name] ?? formation["all"] ?? 1)).map { number in
                Place(
                    name: "\(type.name).\(number + 1)", command: type.command, port: basePort + 100 * index + number)
            }
        }
        if places.isEmpty { throw ValidationError("The formation leaves nothing to run.") }
        if let port = places.map(\.port).max(), port > 65535 {
            throw ValidationError("The ports go up to \(port), and there are 65535; take a lower --port.")
        }
        return places
    }
}

/// `web=2,worker=1`; `all` is every type that is not named.
func formation(_ text: String) throws -> [String: Int] {
    try text.split(separator: ",").reduce(into: [:]) { formation, part in
        let words = part.split(separator: "=")
        guard words.count == 2, let count = Int(words[1]), (0...100).contains(count) else {
            throw ValidationError("\"\(part)\" is not TYPE=N with an N from 0 to 100.")
        }
        formation[words[0].trimmingCharacters(in: .whitespaces)] = count
    }
}

/// `NAME=value` lines; values may be quoted, and in double quotes have `\n`.
func environment(_ text: String, file: String) throws -> [String: String] {
    var environment: [String: String] = [:]
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
        let line = line.trimmingCharacters(in: .whitespaces)
        if line.isEmpty || line.hasPrefix("#") { continue }
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0].replacing(/^export\s+/, with: "").trimmingCharacters(in: .whitespaces)
        guard parts.count == 2, name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
            throw ValidationError("\(file), line \(number + 1): this is not NAME=VALUE.")
        }
        let value = parts[1].trimmingCharacters(in: .whitespaces)
        let isQuoted = value.count > 1 && value.first == value.last
        switch value.first {
        case "\"" where isQuoted:
            environment[name] = String(value.dropFirst().dropLast())
                .replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
        case "'" where isQuoted: environment[name] = String(value.dropFirst().dropLast())
        default: environment[name] = value
        }
    }
    return environment
}
