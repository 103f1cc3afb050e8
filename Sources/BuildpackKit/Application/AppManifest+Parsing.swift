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
            self.formation[type] = Formation(
                quantity: try entry.integer("quantity", in: 0...1000), size: try entry.string("size"))
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

extension AppManifest.HealthCheck {
    fileprivate init(_ reader: ManifestReader) throws(BuildError) {
        guard reader.node.members != nil else { throw reader.error("expected an object") }
        self.init()
        if let type = try reader.string("type") {
            guard let kind = Kind(rawValue: type) else {
                throw reader.error("\"\(type)\" is no type of health check; use startup, readiness or liveness")
            }
            self.type = kind
        }
        self.name = try reader.string("name")
        self.path = try reader.string("path")
        self.port = try reader.integer("port", in: 1...65535)
        self.scheme = try reader.string("scheme")?.lowercased() ?? self.scheme
        self.content = try reader.string("content")
        self.listening = try reader.bool("listening") ?? false
        self.uptime = try reader.integer("uptime", in: 0...86400)
        self.timeout = try reader.integer("timeout", in: 1...3600) ?? self.timeout
        self.attempts = try reader.integer("attempts", in: 1...1000) ?? self.attempts
        self.wait = try reader.integer("wait", in: 0...3600) ?? self.wait
        self.initialDelay = try reader.integer("initialDelay", in: 0...3600) ?? self.initialDelay
        for header in try reader.elements("httpHeaders") {
            self.httpHeaders[try header.requiredString("name")] = try header.text("value") ?? ""
        }
        let words = try reader.elements("command")
        if !words.isEmpty {
            self.command = try words.map { word throws(BuildError) in
                guard let text = word.node.string else { throw word.error("expected a string") }
                return text
            }
        }
    }
}

/// A place in an `app.json`: reads its members and words errors with their path and line.
private struct ManifestReader {
    var node: JSONNode
    var path: String

    func error(_ problem: String) -> BuildError {
        let place = self.path.isEmpty ? "" : " \(self.path):"
        return BuildError(.invalidAppManifest, "app.json, line \(self.node.line):\(place) \(problem).")
    }

    private func member(_ key: String) -> ManifestReader? {
        self.node[key].map { ManifestReader(node: $0, path: self.path.isEmpty ? key : "\(self.path).\(key)") }
    }

    private func expected(_ what: String) -> BuildError { self.error("expected \(what), found \(self.node.kind)") }

    func string(_ key: String) throws(BuildError) -> String? {
        guard let member = self.member(key) else { return nil }
        guard let string = member.node.string else { throw member.expected("a string") }
        return string
    }

    func requiredString(_ key: String) throws(BuildError) -> String {
        guard self.node.members != nil else { throw self.expected("an object") }
        guard let string = try self.string(key), !string.isEmpty else { throw self.error("\"\(key)\" is missing") }
        return string
    }

    /// A string, or a number or Boolean written as one: config values are text.
    func text(_ key: String) throws(BuildError) -> String? {
        guard let member = self.member(key) else { return nil }
        switch member.node.value {
        case .string(let string): return string
        case .bool(let bool): return bool ? "true" : "false"
        case .number(let number): return member.node.integer.map(String.init) ?? String(number)
        default: throw member.expected("a string")
        }
    }

    func bool(_ key: String) throws(BuildError) -> Bool? {
        guard let member = self.member(key) else { return nil }
        guard case .bool(let bool) = member.node.value else { throw member.expected("true or false") }
        return bool
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(BuildError) -> Int? {
        guard let member = self.member(key) else { return nil }
        guard let integer = member.node.integer, range.contains(integer) else {
            throw member.error("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func object(_ key: String) throws(BuildError) -> ManifestReader? {
        guard let member = self.member(key) else { return nil }
        guard member.node.members != nil else { throw member.expected("an object") }
        return member
    }

    func members(_ key: String) throws(BuildError) -> [(String, ManifestReader)] {
        guard let member = try self.object(key), let members = member.node.members else { return [] }
        return members.map { ($0.key, ManifestReader(node: $0.value, path: "\(member.path).\($0.key)")) }
    }

    func elements(_ key: String) throws(BuildError) -> [ManifestReader] {
        try self.member(key)?.elements() ?? []
    }

    func elements() throws(BuildError) -> [ManifestReader] {
        guard let elements = self.node.elements else { throw self.expected("an array") }
        return elements.enumerated().map { ManifestReader(node: $1, path: "\(self.path)[\($0)]") }
    }
}
