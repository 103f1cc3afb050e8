import TOMLKit

/// What a `pyproject.toml` says, as far as building cares.
struct PyprojectFile: Hashable, Sendable {
    /// `requires-python`, or what Poetry has instead.
    var python: PythonVersionSpecifiers?
    /// Whether the project is a package that can be built.
    var isPackage = false
    /// `project.dependencies`; nil when it lists none.
    var dependencies: [String]?

    init(parsing text: String) throws(BuildError) {
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch {
            throw BuildError(.invalidSource, "pyproject.toml cannot be read: \(error)", cause: error)
        }
        let project = root["project"]?.table
        let poetry = root["tool"]?.table?["poetry"]?.table
        self.isPackage = root["build-system"] != nil || poetry != nil
        self.dependencies = project?["dependencies"]?.array?.compactMap(\.string)
        let stated = project?["requires-python"]?.string ?? poetry?["dependencies"]?.table?["python"]?.string
        guard let stated else { return }
        guard let specifiers = PythonVersionSpecifiers(stated) else {
            throw BuildError(
                .invalidSource, "pyproject.toml: `\(stated.abbreviated)` is no specifier of Python versions.")
        }
        self.python = specifiers
    }
}
