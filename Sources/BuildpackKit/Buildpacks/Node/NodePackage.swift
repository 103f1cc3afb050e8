/// What a `package.json` says, as far as building cares.
struct NodePackage: Sendable {
    var scripts: [String: String] = [:]
    var hasDependencies = false
    var hasDevelopmentDependencies = false
    /// The range in `engines.node`.
    var nodeRange: String?
    /// `pnpm@9.1.0`, as Corepack reads it.
    var packageManager: String?
    var main: String?

    init(parsing text: String) throws(BuildError) {
        let root: JSONNode
        do {
            root = try JSONParser.parse(text)
        } catch {
            throw BuildError(.invalidSource, "package.json, \(error).")
        }
        guard root.members != nil else {
            throw BuildError(.invalidSource, "package.json must hold an object, and holds \(root.kind).")
        }
        for (name, script) in root["scripts"]?.members ?? [] {
            if let script = script.string { self.scripts[name] = script }
        }
        let count = { (key: String) in root[key]?.members?.count ?? 0 }
        self.hasDependencies = count("dependencies") + count("optionalDependencies") > 0 || root["workspaces"] != nil
        self.hasDevelopmentDependencies = count("devDependencies") > 0
        self.nodeRange = root["engines"]?["node"]?.string
        self.packageManager = root["packageManager"]?.string
        self.main = root["main"]?.string
    }
}
