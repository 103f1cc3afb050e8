import TOMLKit

/// The packages of a Pipenv application, as a requirements file: pip installs them without Pipenv.
struct PipenvFile {
    /// `Pipfile.lock` or `Pipfile`.
    var name: String
    var requirements: String

    /// nil when the application has neither.
    init?(_ source: SourceTree) throws(BuildError) {
        if let text = try source.text(of: "Pipfile.lock") {
            self.name = "Pipfile.lock"
            self.requirements = try Self.locked(text)
        } else if let text = try source.text(of: "Pipfile") {
            self.name = "Pipfile"
            self.requirements = try Self.unlocked(text)
        } else {
            return nil
        }
    }

    private static func locked(_ text: String) throws(BuildError) -> String {
        let root: JSONNode
        do {
            root = try JSONParser.parse(text)
        } catch {
            throw BuildError(.invalidSource, "Pipfile.lock, \(error).")
        }
        var lines: [String] = []
        for (package, entry) in root["default"]?.members ?? [] {
            let extras = entry["extras"]?.elements?.compactMap(\.string) ?? []
            guard let version = entry["version"]?.string else { throw Self.unsupported(package, in: "Pipfile.lock") }
            lines.append(Self.line(package, extras, version, entry["markers"]?.string))
        }
        return lines.joined()
    }

    private static func unlocked(_ text: String) throws(BuildError) -> String {
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch {
            throw BuildError(.invalidSource, "Pipfile cannot be read: \(error)", cause: error)
        }
        guard let packages = root["packages"]?.table else { return "" }
        var lines: [String] = []
        for package in packages.keys.sorted() {
            if let version = packages[package]?.string {
                lines.append(Self.line(package, [], version, nil))
            } else if let table = packages[package]?.table, let version = table["version"]?.string {
                let extras = table["extras"]?.array?.compactMap(\.string) ?? []
                lines.append(Self.line(package, extras, version, table["markers"]?.string))
            } else {
                throw Self.unsupported(package, in: "Pipfile")
            }
        }
        return lines.joined()
    }

    private static func line(_ package: String, _ extras: [String], _ version: String, _ markers: String?) -> String {
        let extras = extras.isEmpty ? "" : "[\(extras.joined(separator: ","))]"
        let markers = markers.map { " ; \($0)" } ?? ""
        return "\(package)\(extras)\(version == "*" ? "" : version)\(markers)\n"
    }

    private static func unsupported(_ package: String, in file: String) -> BuildError {
        BuildError(
            .invalidSource,
            "\(file): package `\(package)` does not come by version from an index, which is not supported. "
                + "List it in a requirements.txt instead.")
    }
}
