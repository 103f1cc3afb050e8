internal import BuildpackKit
internal import ProcessSupervisor

extension InstanceSpec {
    /// What a request wants, in the supervisor's words.
    init(_ request: WorkloadRequest, process: ProcessSpec) {
        let life = request.life
        self.init(id: InstanceID(InstanceLabel.id(for: request)), process: process)
        self.labels = InstanceLabel.labels(for: request)
        self.port = request.needsPort ? .allocate : nil
        self.singleton = life.isSingleton ? "\(request.applicationID)/\(request.processType)" : nil
        self.startup =
            life.startupDescriptor.map { .notification(descriptor: $0) } ?? life.startup.map { .probe(Probe($0)) }
        self.readiness = life.readiness.map(Probe.init)
        self.bootTimeout = .seconds(life.bootTimeoutSeconds)
        self.liveness = life.liveness.map(Probe.init)
        // As long as the grace: it is part of that, and nothing else ends it.
        self.preStop = life.preStop.map {
            LifecycleCommand(
                LaunchCommand.arguments(for: $0), timeout: min(max(request.stopGrace, .seconds(1)), .seconds(86400)))
        }
        self.postStart = life.postStart.map {
            LifecycleCommand(LaunchCommand.arguments(for: $0), timeout: .seconds(3600))
        }
        if life.recycleAfterSeconds != nil || life.recycleMemoryBytes != nil {
            self.recycling = RecyclePolicy(
                maxAge: life.recycleAfterSeconds.map { .seconds($0) }, memoryBytes: life.recycleMemoryBytes)
        }
        if let output = life.output {
            self.output.bytesPerSecond = output.rate ?? self.output.bytesPerSecond
            self.output.burstBytes = output.burst ?? self.output.burstBytes
            self.output.excess = output.drops ? .drop : .wait
        }
        self.stop = StopPolicy(signal: life.stopSignal, grace: request.stopGrace)
    }
}

extension Probe {
    fileprivate init(_ check: CheckRecord) {
        let question: Check =
            switch check.question {
            case .listening: .tcp
            case .http(let path, let headers, let content):
                .http(
                    path: path, headers: headers,
                    expectedStatus: check.statuses.map(StatusSet.init) ?? .successOrRedirect,
                    host: nil, bodyContains: content)
            case .command(let words): .command(LaunchCommand.arguments(of: words))
            }
        self.init(
            question, initialDelay: .seconds(check.initialDelay),
            // Nobody is helped by a question without a pause.
            interval: .seconds(max(check.wait, 1)), timeout: .seconds(check.timeout),
            successThreshold: check.successes ?? 1, failureThreshold: check.attempts)
    }
}

extension StatusSet {
    fileprivate init(_ ranges: [ClosedRange<Int>]) {
        self = []
        self.ranges = ranges.map { Range($0) }
    }
}

extension LaunchCommand {
    /// A program and its arguments, in the environment that an application sets up for itself.
    static func arguments(of words: [String]) -> [String] {
        Self.arguments(for: words.map(Self.quoted).joined(separator: " "))
    }

    /// A word as the shell reads back exactly that word.
    private static func quoted(_ word: String) -> String { "'" + word.replacing("'", with: "'\\''") + "'" }
}
