/// What probes, timers and looks at the memory mean to a process that runs.
extension InstanceMachine {
    mutating func becomeReady(_ cause: SupervisorEvent.Cause) -> [Action] {
        let isFirst = !self.wasReady
        self.state = .ready
        self.wasReady = true
        self.readinessFailures = 0
        var actions: [Action] = []
        if isFirst { actions += [.cancel(.boot), .record] }
        actions.append(.emit(.ready(port: self.port), cause))
        if self.spec.readiness != nil { actions.append(.startProbing(.readiness, booting: false)) }
        // With a startup check, liveness has been asked since that was answered.
        if isFirst { actions += self.steadyJobs(withLiveness: self.spec.startup == nil) }
        return actions
    }

    mutating func steadyJobs(withLiveness: Bool) -> [Action] {
        var actions: [Action] = []
        switch self.spec.restart {
        case .never: break
        case .always(let backoff), .onFailure(let backoff): actions.append(.schedule(.stable, backoff.stableAfter))
        }
        if let recycling = self.spec.recycling, let age = recycling.maxAge {
            let due = age + age * (recycling.jitter * Double.random(in: 0...1, using: &self.randomness))
            actions.append(.schedule(.recycle, max(due - self.adoptedAge, .zero)))
        }
        if withLiveness, self.spec.liveness != nil { actions.append(.startProbing(.liveness, booting: false)) }
        return actions
    }

    mutating func probed(_ role: Role, _ report: ProbeReport) -> [Action] {
        switch (role, self.state) {
        case (.startup, .booting) where !self.hasStartedUp:
            return self.startupProbed(report)
        case (.readiness, .booting) where self.hasStartedUp, (.readiness, .unready):
            self.lastProbe = report
            self.successes = report.succeeded ? self.successes + 1 : 0
            guard self.successes >= (self.spec.readiness?.successThreshold ?? 1) else { return [] }
            return self.becomeReady(.probe(report))
        case (.readiness, .ready):
            self.lastProbe = report
            self.readinessFailures = report.succeeded ? 0 : self.readinessFailures + 1
            guard self.readinessFailures >= max(self.spec.readiness?.failureThreshold ?? 1, 1) else { return [] }
            self.state = .unready
            self.successes = 0
            return [.emit(.unready, .probe(report))]
        case (.liveness, .booting) where self.hasStartedUp, (.liveness, .ready), (.liveness, .unready):
            self.lastProbe = report
            self.livenessFailures = report.succeeded ? 0 : self.livenessFailures + 1
            let threshold = max(self.spec.liveness?.failureThreshold ?? 1, 1)
            guard self.livenessFailures >= threshold else { return [] }
            return self.failIfBooting(
                .liveness("liveness probe failed \(threshold) times, the last time: \(report.detail)"))
        default:
            return []  // an answer that was on its way when the process was ended
        }
    }

    private mutating func startupProbed(_ report: ProbeReport) -> [Action] {
        self.lastProbe = report
        self.successes = report.succeeded ? self.successes + 1 : 0
        var threshold = 1
        if case .probe(let probe) = self.spec.startup { threshold = probe.successThreshold }
        guard self.successes >= threshold else { return [] }
        self.successes = 0
        self.hasStartedUp = true
        var actions: [Action] = [.endProbing(.startup)]
        if self.spec.liveness != nil { actions.append(.startProbing(.liveness, booting: false)) }
        guard self.spec.readiness != nil else { return actions + self.becomeReady(.probe(report)) }
        // The next host must not wait for a notification that has come.
        return actions + [.record, .startProbing(.readiness, booting: true)]
    }

    mutating func found(_ finding: MemoryWatch.Finding) -> [Action] {
        guard self.isRunning else { return [] }
        switch finding {
        case .high(let used, let soft):
            return [.emit(.memoryHigh(usedBytes: used, softLimitBytes: soft), .memoryUse)]
        case .killed(let excess):
            // Where the kernel kills one process and not the group: an instance with a hole in it is not the one that was
            // started.
            if case .booting = self.state { return self.failIfBooting(.outOfMemory(excess)) }
            return self.end(.unhealthy(.outOfMemory(excess)))
        case .recyclable(let used, let limit):
            guard self.wasReady else { return [] }
            let (used, limit) = (MemoryExcess.megabytes(used), MemoryExcess.megabytes(limit))
            return self.end(.restart(.recycling("uses \(used) of memory, and may use \(limit)")))
        }
    }

    mutating func fired(_ timer: Timer) -> [Action] {
        switch (timer, self.state) {
        case (.boot, .booting):
            let answer = self.lastProbe.map { "last probe: \($0.detail)" } ?? "no probe was answered"
            return self.failIfBooting(
                .bootTimeout("not ready within \(self.spec.bootTimeout.inSeconds) (boot timeout); \(answer)"))
        case (.grace, .ending), (.grace, .clearing):
            guard self.awaitsPreStop else { return [.kill] }
            self.awaitsPreStop = false
            let failure = "did not end within the grace of \(self.spec.stop.grace.inSeconds)"
            return [.endCommand(.preStop), .emit(.commandFailed(.preStop), .command(failure)), .kill]
        case (.backoff, .backingOff):
            self.restarts += 1
            return self.spawn(.restartPolicy)
        case (.stable, .ready), (.stable, .unready):
            self.attempts = 0
            return [.record]
        case (.recycle, .ready), (.recycle, .unready):
            let age = self.spec.recycling?.maxAge ?? .zero
            return self.end(.restart(.recycling("has run for \(age.inSeconds) and more")))
        default:
            return []
        }
    }

    private mutating func failIfBooting(_ cause: SupervisorEvent.Cause) -> [Action] {
        let failure: [Action] =
            self.state == .booting ? [.failBoot("\(cause)", exit: nil, probe: self.lastProbe)] : []
        return failure + self.end(.unhealthy(cause))
    }

    mutating func ran(_ moment: LifecycleCommand.Moment, _ failure: String?) -> [Action] {
        let told = failure.map { [Action.emit(.commandFailed(moment), .command($0))] } ?? []
        switch self.state {
        case .ending where moment == .preStop && self.awaitsPreStop:
            self.awaitsPreStop = false
            return told + [.signal(self.spec.stop.signal)]
        case .booting, .ready, .unready:
            return told
        default:
            return []
        }
    }

    private var isRunning: Bool {
        switch self.state {
        case .booting, .ready, .unready: true
        default: false
        }
    }
}
