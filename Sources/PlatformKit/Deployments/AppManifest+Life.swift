internal import BuildpackKit

/// What `app.json` says about the lives of instances, as it is kept with a release.
extension AppManifest {
    /// For each process type.
    func life(of types: some Sequence<String>, bootTimeout: Duration) -> [String: LifeRecord] {
        var result: [String: LifeRecord] = [:]
        for type in types where type != "release" {
            result[type] = self.life(of: type, bootTimeout: Int(bootTimeout.components.seconds))
        }
        return result
    }

    private func life(of type: String, bootTimeout: Int) -> LifeRecord {
        let startup = self.check(.startup, of: type)
        let readiness = self.check(.readiness, of: type)
        // As Dokku counts: whoever asks for many attempts at a start wants it to take that long. Delays come on top.
        let attempts = startup.map { $0.attempts * ($0.wait + $0.timeout) } ?? 0
        let delays = (startup?.initialDelay ?? 0) + (readiness?.initialDelay ?? 0)
        var life = LifeRecord(bootTimeoutSeconds: min(delays + max(bootTimeout, attempts), 86400))
        life.startupDescriptor = startup?.descriptor.map { Int32($0) }
        life.startup = life.startupDescriptor == nil ? startup.map(CheckRecord.init) : nil
        life.readiness = readiness.map(CheckRecord.init)
        life.liveness = self.check(.liveness, of: type).map(CheckRecord.init)
        guard let formation = self.formation[type] else { return life }
        if let signal = formation.stopSignal { life.stopSignal = signal.number }
        life.stopGraceSeconds = formation.stopGrace
        life.isSingleton = formation.singleton
        life.recycleAfterSeconds = formation.recycle?.after
        life.recycleMemoryBytes = formation.recycle?.memory
        life.preStop = formation.preStop
        life.postStart = formation.postStart
        life.output = formation.output.map { OutputRecord(rate: $0.rate, burst: $0.burst, drops: $0.drops) }
        return life
    }

    /// The first of that kind: one is made of each.
    private func check(_ kind: HealthCheck.Kind, of type: String) -> HealthCheck? {
        self.healthchecks[type]?.first { $0.type == kind && $0.asks }
    }

    /// What is in the file and has no effect, for whoever deploys it.
    func notes(on types: some Sequence<String>) -> [String] {
        var notes: [String] = []
        for type in types.sorted() {
            var seen: Set<HealthCheck.Kind> = []
            for (index, check) in (self.healthchecks[type] ?? []).enumerated() {
                let place = "healthchecks.\(type)[\(index)]"
                if check.uptime != nil { notes.append("\(place): uptime is ignored; use initialDelay") }
                guard check.asks else { continue }
                if !seen.insert(check.type).inserted {
                    notes.append("\(place) is ignored: it is the second check of the type \(check.type.rawValue)")
                    continue
                }
                if check.port != nil { notes.append("\(place): port is ignored; instances are asked at their $PORT") }
                if check.scheme != "http" {
                    notes.append("\(place): scheme \(check.scheme) is ignored; instances are asked by http")
                }
            }
        }
        return notes
    }
}

extension AppManifest.HealthCheck {
    /// Whether it is a question, and not only the wish to wait.
    fileprivate var asks: Bool { self.uptime == nil || self.path != nil || self.command != nil || self.listening }

    /// Whether it wants something of an answer that only one by HTTP has.
    fileprivate var asksForPage: Bool { self.content != nil || !self.httpHeaders.isEmpty || self.statuses != nil }
}

extension CheckRecord {
    fileprivate init(_ check: AppManifest.HealthCheck) {
        let question: Question =
            if let command = check.command {
                .command(command)
            } else if let path = check.path ?? (check.asksForPage ? "/" : nil) {
                .http(path: path, headers: check.httpHeaders, content: check.content)
            } else {
                .listening
            }
        self.init(
            question, initialDelay: check.initialDelay, wait: check.wait, timeout: check.timeout,
            attempts: check.attempts, successes: check.successes, statuses: check.statuses)
    }
}

extension AppManifest.StopSignal {
    /// As Linux counts them on every processor that Swift knows.
    fileprivate var number: Int32 {
        switch self {
        case .hangup: 1
        case .interrupt: 2
        case .quit: 3
        case .user1: 10
        case .user2: 12
        case .term: 15
        case .windowChange: 28
        }
    }
}
