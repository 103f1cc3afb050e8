extension AppManifest {
    /// Reads the text of an `app.json`.
    ///
    /// - Throws: ``BuildError/Code/invalidAppManifest``, naming the line.
    public init(parsing text: String) throws(BuildError) {
        let root: JSONNode
        do {
            root = try JSONParser.parse(text)
        } catch {
            throw BuildError(.invalidAppManifest, "app.json, \(error).")
        }
        let reader = ManifestReader(node: root, path: "")
        guard root.members != nil else { throw reader.error("the file must hold an object, and holds \(root.kind)") }
        self.init()
        self.name = try reader.string("name")
        self.description = try reader.string("description")
        for (name, entry) in try reader.members("env") { self.env[name] = try Variable(entry) }
        for (type, entry) in try reader.members("formation") {
            self.formation[type] = try Formation(entry)
        }
        if let scripts = try reader.object("scripts") {
            let dokku = try scripts.object("dokku")
            let nested = Scripts(predeploy: try dokku?.string("predeploy"), postdeploy: try dokku?.string("postdeploy"))
            self.scripts.predeploy = try scripts.string("predeploy")
            self.scripts.postdeploy = try scripts.string("postdeploy")
            self.scripts.predeploy = self.scripts.predeploy ?? nested.predeploy
            self.scripts.postdeploy = self.scripts.postdeploy ?? nested.postdeploy
        }
        for entry in try reader.elements("buildpacks") {
            if let name = entry.node.string {
                self.buildpacks.append(name)
            } else {
                self.buildpacks.append(try entry.requiredString("url"))
            }
        }
        for entry in try reader.elements("addons") {
            if let plan = entry.node.string {
                self.addons.append(Addon(plan: plan))
            } else {
                self.addons.append(Addon(plan: try entry.requiredString("plan"), name: try entry.string("as")))
            }
        }
        for (type, entry) in try reader.members("healthchecks") {
            self.healthchecks[type] = try entry.elements().map { entry throws(BuildError) in try HealthCheck(entry) }
        }
        for entry in try reader.elements("cron") {
            self.cron.append(
                CronJob(
                    command: try entry.requiredString("command"), schedule: try entry.requiredString("schedule")))
        }
    }
}

extension AppManifest.Variable {
    fileprivate init(_ reader: ManifestReader) throws(BuildError) {
        if let value = reader.node.string {
            self.init(value: value)
            return
        }
        guard reader.node.members != nil else { throw reader.error("expected a string or an object") }
        let generator = try reader.string("generator")
        guard generator == nil || generator == "secret" else {
            throw reader.error("the only generator is \"secret\", not \"\(generator ?? "")\"")
        }
        self.init(
            description: try reader.string("description"),
            value: try reader.text("value"),
            isRequired: try reader.bool("required") ?? true,
            generator: generator)
    }
}
