/// What probes, timers and looks at the memory mean to a process that runs.
extension InstanceMachine {
    mutating func becomeReady() -> [Action] {
        let isFirst = !self.wasReady
        self.state = .ready
        self.wasReady = true
        self.readinessFailures = 0
        var actions: [Action] = []
        if isFirst { actions += [.cancel(.boot), .record] }
        actions.append(.emit(.ready(port: self.port)))
        if self.spec.readiness != nil { actions.append(.startProbing(.readiness, booting: false)) }
        if isFirst { actions += self.steadyJobs() }
        return actions
    }

    func steadyJobs() -> [Action] {
        var actions: [Action] = []
        switch self.spec.restart {
        case .never: break
        case .always(let backoff), .onFailure(let backoff): actions.append(.schedule(.stable, backoff.stableAfter))
        }
        if self.spec.liveness != nil { actions.append(.startProbing(.liveness, booting: false)) }
        return actions
    }

    mutating func probed(_ role: Role, _ report: ProbeReport) -> [Action] {
        switch (role, self.state) {
        case (.readiness, .booting), (.readiness, .unready):
            self.lastProbe = report
            self.successes = report.succeeded ? self.successes + 1 : 0
            guard self.successes >= (self.spec.readiness?.successThreshold ?? 1) else { return [] }
            return self.becomeReady()
        case (.readiness, .ready):
            self.lastProbe = report
            self.readinessFailures = report.succeeded ? 0 : self.readinessFailures + 1
            guard self.readinessFailures >= max(self.spec.readiness?.failureThreshold ?? 1, 1) else { return [] }
            self.state = .unready
            self.successes = 0
            return [.emit(.unready(reason: report.detail))]
        case (.liveness, .ready), (.liveness, .unready):
            self.lastProbe = report
            self.livenessFailures = report.succeeded ? 0 : self.livenessFailures + 1
            let threshold = max(self.spec.liveness?.failureThreshold ?? 1, 1)
            guard self.livenessFailures >= threshold else { return [] }
            return self.end(.unhealthy("liveness probe failed \(threshold) times, the last time: \(report.detail)"))
        default:
            return []  // an answer that was on its way when the process was ended
        }
    }

    mutating func found(_ finding: MemoryWatch.Finding) -> [Action] {
        switch (finding, self.state) {
        case (.high(let used, let soft), .booting), (.high(let used, let soft), .ready),
            (.high(let used, let soft), .unready):
            return [.emit(.memoryHigh(usedBytes: used, softLimitBytes: soft))]
        case (.killed(let excess), .booting), (.killed(let excess), .ready), (.killed(let excess), .unready):
            // Where the kernel kills one process and not the group: an instance with a hole in it is not the one that was
            // started. What is left gets no grace, as it would not have had.
            return self.end(.unhealthy(excess.description)).map { action in
                if case .signal = action { .kill } else { action }
            }
        default:
            return []
        }
    }

    mutating func fired(_ timer: Timer) -> [Action] {
        switch (timer, self.state) {
        case (.boot, .booting):
            let answer = self.lastProbe.map { "last probe: \($0.detail)" } ?? "no probe was answered"
            let reason = "not ready within \(self.spec.bootTimeout.inSeconds) (boot timeout); \(answer)"
            return [.failBoot(reason, exit: nil, probe: self.lastProbe)] + self.end(.unhealthy(reason))
        case (.grace, .ending), (.grace, .clearing):
            return [.kill]
        case (.backoff, .backingOff):
            self.restarts += 1
            self.state = .spawning
            return [.spawn]
        case (.stable, .ready), (.stable, .unready):
            self.attempts = 0
            return [.record]
        default:
            return []
        }
    }
}
