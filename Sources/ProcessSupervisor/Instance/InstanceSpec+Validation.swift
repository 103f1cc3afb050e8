internal import SystemPackage

extension InstanceSpec {
    /// Refuses what no launcher could carry out, or what would come out as something else.
    func validate() throws(SupervisorError) {
        try self.id.validate()
        try self.process.validate()
        if case .fixed(let port) = self.port { try self.check(port, in: 1...65535, "port") }
        if let singleton, singleton.isEmpty || singleton.utf8.count > 200 {
            throw .invalid("\(self.id): the text in singleton has 1 to 200 bytes")
        }
        try self.validateProbes()
        for (name, command) in [("postStart", self.postStart), ("preStop", self.preStop)] {
            guard let command else { continue }
            if command.arguments.first?.isEmpty ?? true {
                throw .invalid("\(self.id): the command in \(name) is empty")
            }
            try self.check(command.timeout, in: .milliseconds(1)...Self.day, "\(name).timeout")
        }
        try self.validateBackoff()
        try self.validateRecycling()
        try self.check(self.stop.signal, in: 1...64, "stop.signal")
        try self.check(self.stop.grace, in: .zero...Self.day * 7, "stop.grace")
        try self.check(self.output.bytesPerSecond, in: 1024...1 << 30, "output.bytesPerSecond")
        try self.check(self.output.burstBytes, in: 65536...1 << 30, "output.burstBytes")
    }

    private func validateProbes() throws(SupervisorError) {
        try self.check(self.bootTimeout, in: .milliseconds(1)...Self.day, "bootTimeout")
        var probes = [("readiness", self.readiness), ("liveness", self.liveness)]
        switch self.startup {
        case .probe(let probe): probes.append(("startup", probe))
        case .notification(let number):
            try self.check(number, in: 3...255, "startup.notification")
            if let limit = self.process.limits.maxOpenFiles, number >= limit {
                throw .invalid(
                    "\(self.id): startup.notification is \(number), which the limit of \(limit) open files does"
                        + " not allow")
            }
        case nil: break
        }
        for (name, probe) in probes {
            guard let probe else { continue }
            try self.validate(probe, name)
            if name != "liveness", probe.initialDelay >= self.bootTimeout {
                throw .invalid(
                    "\(self.id): \(name).initialDelay is \(probe.initialDelay.inSeconds), and after"
                        + " \(self.bootTimeout.inSeconds) (bootTimeout) the instance is ended; make one of them differ")
            }
        }
    }

    private func validate(_ probe: Probe, _ name: String) throws(SupervisorError) {
        switch probe.check {
        case .tcp, .http:
            if self.port == nil { throw .invalid("\(self.id): the probe \(name) asks a port, and there is none") }
        case .command(let arguments):
            if arguments.first?.isEmpty ?? true { throw .invalid("\(self.id): the command of \(name) is empty") }
        }
        try self.check(probe.initialDelay, in: .zero...Self.day / 24, "\(name).initialDelay")
        try self.check(probe.interval, in: .milliseconds(1)...Self.day, "\(name).interval")
        try self.check(probe.bootInterval, in: .milliseconds(1)...Self.day, "\(name).bootInterval")
        try self.check(probe.timeout, in: .milliseconds(1)...Self.day, "\(name).timeout")
        try self.check(probe.successThreshold, in: 1...1000, "\(name).successThreshold")
        try self.check(probe.failureThreshold, in: 1...1000, "\(name).failureThreshold")
    }

    private func validateBackoff() throws(SupervisorError) {
        switch self.restart {
        case .never: break
        case .onFailure(let backoff), .always(let backoff):
            try self.check(backoff.initial, in: .zero...Self.day, "restart.initial")
            try self.check(backoff.multiplier, in: 1...1000, "restart.multiplier")
            try self.check(backoff.ceiling, in: .zero...Self.day, "restart.ceiling")
            try self.check(backoff.stableAfter, in: .zero...Self.day, "restart.stableAfter")
            try self.check(backoff.maxAttempts ?? 0, in: 0...1_000_000, "restart.maxAttempts")
        }
    }

    private func validateRecycling() throws(SupervisorError) {
        guard let recycling else { return }
        if let age = recycling.maxAge { try self.check(age, in: .seconds(1)...Self.day * 366, "recycling.maxAge") }
        try self.check(recycling.jitter, in: 0...1, "recycling.jitter")
        if let bytes = recycling.memoryBytes { try self.check(bytes, in: 1 << 20...1 << 50, "recycling.memoryBytes") }
    }

    private static let day = Duration.seconds(24 * 3600)

    private func check<Value: Comparable>(
        _ value: Value, in range: ClosedRange<Value>, _ name: String
    ) throws(SupervisorError) {
        if range.contains(value) { return }
        throw .invalid("\(self.id): \(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
    }
}

extension InstanceID {
    func validate() throws(SupervisorError) {
        if self.rawValue.isEmpty || self.rawValue.utf8.count > Self.maximumLength {
            throw .invalid("an instance's name has 1 to \(Self.maximumLength) bytes: \(self.rawValue.prefix(100))")
        }
    }
}

extension ProcessSpec {
    /// What Linux takes of one argument or variable, its end included.
    private static let longestText = 131_072

    func validate() throws(SupervisorError) {
        guard let program = self.arguments.first, !program.isEmpty else {
            throw .invalid("there is no program to execute: the list of arguments is empty")
        }
        // The system would cut them there without a word.
        let texts = self.arguments + [self.workingDirectory] + self.environment.flatMap { [$0.key, $0.value] }
        if texts.contains(where: { $0.utf8.contains(0) }) {
            throw .invalid("\(program): an argument, a variable or the directory has a NUL character")
        }
        if let name = self.environment.keys.first(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "=")) }) {
            throw .invalid("\(program): \"\(name)\" cannot be the name of an environment variable")
        }
        try self.validateLengths(program)
        if !self.workingDirectory.hasPrefix("/") {
            throw .invalid("\(program): the working directory \"\(self.workingDirectory)\" is not absolute")
        }
        for path in (self.storage ?? []).map({ FilePath($0) })
        where !path.isAbsolute || !path.isLexicallyNormal || path.string.utf8.count > 3000 {
            throw .invalid("\(program): \"\(path)\" cannot be storage: use an absolute path without \"..\"")
        }
        try self.user?.validate(program)
        try self.limits.validate()
    }

    private func validateLengths(_ program: String) throws(SupervisorError) {
        for (name, value) in self.environment where name.utf8.count + value.utf8.count + 2 > Self.longestText {
            throw .invalid(
                "\(program.prefix(100)): the variable \(name.prefix(100)) has \(value.utf8.count) bytes; the system takes"
                    + " \(Self.longestText - 2) with its name. Pass a file instead")
        }
        for argument in self.arguments where argument.utf8.count >= Self.longestText {
            throw .invalid(
                "\(program.prefix(100)): an argument has \(argument.utf8.count) bytes; the system takes"
                    + " \(Self.longestText - 1). Pass a file instead")
        }
    }
}

extension UserSpec {
    func validate(_ program: String) throws(SupervisorError) {
        // To the system, this number says "stay who you are": the host itself, which may be root.
        if ([self.uid, self.gid] + (self.supplementaryGroups ?? [])).contains(.max) {
            throw .invalid("\(program): \(UInt32.max) is the number of no user and no group")
        }
        if let groups = self.supplementaryGroups, groups.count > 64 {
            throw .invalid("\(program): its user has \(groups.count) supplementary groups; 64 is the most")
        }
    }
}

extension SupervisorError {
    static func invalid(_ message: String) -> SupervisorError {
        SupervisorError(code: .invalidSpec, message: message)
    }
}
