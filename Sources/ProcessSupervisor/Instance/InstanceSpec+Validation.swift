extension InstanceSpec {
    /// Refuses what no launcher could carry out, or what would come out as something else.
    func validate() throws(SupervisorError) {
        try self.id.validate()
        try self.process.validate()
        if case .fixed(let port) = self.port, !(1...65535).contains(port) {
            throw .invalid("\(self.id): port \(port) is not between 1 and 65535")
        }
        for probe in [self.readiness, self.liveness].compactMap({ $0 }) {
            switch probe.check {
            case .tcp, .http:
                if self.port == nil { throw .invalid("\(self.id): its probe asks a port, and it has none") }
            case .command(let arguments):
                if arguments.isEmpty { throw .invalid("\(self.id): its probe's command is empty") }
            }
            if probe.interval <= .zero || probe.bootInterval <= .zero || probe.timeout <= .zero {
                throw .invalid("\(self.id): a probe's intervals and timeout must be longer than nothing")
            }
        }
        if !(1...64).contains(self.stop.signal) {
            throw .invalid("\(self.id): \(self.stop.signal) is not the number of a signal")
        }
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
        if !self.workingDirectory.hasPrefix("/") {
            throw .invalid("\(program): the working directory \"\(self.workingDirectory)\" is not absolute")
        }
        if let groups = self.user?.supplementaryGroups, groups.count > 64 {
            throw .invalid("\(program): its user has \(groups.count) supplementary groups; 64 is the most")
        }
        try self.limits.validate()
    }
}

extension SupervisorError {
    static func invalid(_ message: String) -> SupervisorError {
        SupervisorError(code: .invalidSpec, message: message)
    }
}
