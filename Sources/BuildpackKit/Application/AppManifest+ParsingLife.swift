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
        self.output = try reader.object("output").map(AppManifest.Output.init)
        if self.singleton, let quantity, quantity > 1 {
            throw reader.at("quantity").error(
                "of a singleton there is one instance at most, not \(quantity); lower the quantity or leave \"singleton\" out"
            )
        }
    }
}

extension AppManifest.Output {
    fileprivate init(_ reader: ManifestReader) throws(BuildError) {
        func amount(_ key: String) throws(BuildError) -> Int? {
            guard let bytes = try reader.memory(key) else { return nil }
            guard bytes <= 1 << 30 else { throw reader.at(key).error("expected 1G at most") }
            return bytes
        }
        self.init(rate: try amount("rate"), burst: try amount("burst"))
        switch try reader.string("excess") {
        case "drop": self.drops = true
        case "wait", nil: break
        case let other?:
            throw reader.at("excess").error("\"\(other)\" is nothing to do with what is too much; use wait or drop")
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
        self.successes = try reader.integer("successes", in: 1...1000)
        self.statuses = try Self.statuses(reader)
        self.descriptor = try reader.integer("descriptor", in: 3...255)
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
        if self.statuses != nil, self.command != nil {
            throw reader.at("status").error("a command has no HTTP status; leave one of the two out")
        }
        if self.descriptor != nil,
            self.type != .startup || self.command != nil || self.path != nil || self.statuses != nil
        {
            throw reader.at("descriptor").error(
                "it is all that a check of the type startup asks; make others for the rest")
        }
    }

    /// A list of statuses and of ranges such as `"200-299"`.
    private static func statuses(_ reader: ManifestReader) throws(BuildError) -> [ClosedRange<Int>]? {
        let elements = try reader.elements("status")
        if elements.isEmpty { return nil }
        return try elements.map { element throws(BuildError) in
            if let status = element.node.integer, (100...599).contains(status) { return status...status }
            let bounds =
                element.node.string?.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) } ?? []
            guard bounds.count == 2, let first = bounds[0], let last = bounds[1], 100 <= first, first <= last,
                last <= 599
            else { throw element.error("expected a status such as 204, or a range of them such as \"200-299\"") }
            return first...last
        }
    }

    /// Whether it can stand in the head of a request as it is.
    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
    }
}
