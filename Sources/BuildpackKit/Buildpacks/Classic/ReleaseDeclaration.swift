import Yams

/// What a classic buildpack's `bin/release` prints: YAML, of which the default process types matter here.
struct ReleaseDeclaration: Hashable {
    var processTypes: [ProcessType]

    /// Reads the YAML. Nothing at all, `---`, `--- {}` and missing keys all occur, and mean nothing.
    init(parsing text: String) throws(BuildError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw BuildError(.buildpackFailed, "bin/release did not print YAML: \(error)", cause: error)
        }
        self.processTypes = []
        guard let types = root?.mapping?["default_process_types"]?.mapping else { return }
        for (name, command) in types {
            guard let name = name.string, let command = command.string, !command.isEmpty else { continue }
            self.processTypes.append(ProcessType(name: name, command: command))
        }
    }
}
