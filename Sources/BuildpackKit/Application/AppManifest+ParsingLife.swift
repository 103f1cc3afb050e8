extension AppManifest.Formation {
    init(_ reader: ManifestReader) throws(BuildError) {
        self.init()
        if case .null = reader.node.value { return }
        guard reader.node.members != nil else { throw reader.error("expected an object, found \(reader.node.kind)") }
        self.init(
            quantity: try reader.integer("quantity", in: 0...1000), size: try reader.string("size"),
            stopGrace: try reader.integer("stopGrace", in: 0...86400),
            singleton: try reader.bool("singleton") ?? false, preStop: try reader.command("preStop"),
            postStart: try reader.command("postStart"))
        if let name = try reader.string("stopSignal") {
            guard let signal = AppManifest.StopSignal(named: name) else {
                let names = AppManifest.StopSignal.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.at("stopSignal").error("\"\(name)\" is no signal to stop with; use one of \(names)")
            }
            self.stopSignal = signal
        }
        if let recycle = try reader.object("recycle") {
            self.recycle = AppManifest.Recycling(
                after: try recycle.integer("after", in: 60...31_536_000), memory: try recycle.memory("memory"))
        }
        if self.singleton, let quantity, quantity > 1 {
            throw reader.at("quantity").error(
                "of a singleton there is one instance at most, not \(quantity); lower the quantity or leave \"singleton\" out"
            )
        }
    }
}

extension AppManifest.StopSignal {
    /// `SIGTERM`, also without its first three letters and in lower case.
    fileprivate init?(named name: String) {
        let name = name.uppercased()
        self.init(rawValue: name.hasPrefix("SIG") ? name : "SIG" + name)
    }
}

extension AppManifest.HealthCheck {
    init(_ reader: ManifestReader) throws(BuildError) {
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
        if let path, !path.hasPrefix("/") || !Self.isPlain(path) || path.contains(" ") {
            throw reader.at("path").error(
                "expected a path that begins with \"/\" and has no blanks, such as \"/healthz\"")
        }
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
            let (name, value) = (try header.requiredString("name"), try header.text("value") ?? "")
            guard Self.isPlain(name + value), !name.contains(where: { $0 == ":" || $0 == " " }) else {
                throw header.error(
                    "expected a header's name and value without line ends, and no blank or colon in the name")
            }
            self.httpHeaders[name] = value
        }
        let words = try reader.elements("command")
        if !words.isEmpty {
            self.command = try words.map { word throws(BuildError) in
                guard let text = word.node.string else { throw word.error("expected a string") }
                return text
            }
            if self.command?.first?.isEmpty ?? true {
                throw reader.at("command").error("the first word is the program")
            }
        }
    }

    /// Whether it can stand in the head of a request as it is.
    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
    }
}
