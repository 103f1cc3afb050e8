/// From the start to the boot, and the take-over of what a former host left.
extension InstanceMachine {
    mutating func start() -> [Action] {
        guard self.state == .idle else { return [] }
        return self.spawn(.request)
    }

    mutating func spawn(_ cause: SupervisorEvent.Cause) -> [Action] {
        self.state = .spawning
        self.startCause = cause
        return [.spawn]
    }

    mutating func spawned(_ pid: Int32, _ port: Int?) -> [Action] {
        guard self.state == .spawning else { return [] }
        self.hasRun = true
        let started = Action.emit(.started(pid: pid, port: port), self.startCause)
        guard self.stopAfterSpawn else {
            return [started] + (self.spec.postStart == nil ? [] : [.run(.postStart)]) + self.boot(port)
        }
        // It is not told to be ready first, even if nothing would have to be asked: nobody may be sent to it.
        self.beginBoot(port)
        return [started] + self.stop()
    }

    private mutating func beginBoot(
        _ port: Int?, wasReady: Bool = false, hasStartedUp: Bool = false, age: Duration = .zero
    ) {
        self.port = port
        self.wasReady = wasReady
        self.hasStartedUp = wasReady || hasStartedUp || self.spec.startup == nil
        self.adoptedAge = age
        self.successes = 0
        self.readinessFailures = 0
        self.livenessFailures = 0
        self.lastProbe = nil
        self.awaitsPreStop = false
        self.state = .booting
    }

    private mutating func boot(_ port: Int?, hasStartedUp: Bool = false, age: Duration = .zero) -> [Action] {
        self.beginBoot(port, hasStartedUp: hasStartedUp, age: age)
        if !self.hasStartedUp {
            return [.schedule(.boot, self.spec.bootTimeout), .startProbing(.startup, booting: true)]
        }
        guard self.spec.readiness != nil else { return self.becomeReady(.noProbe) }
        return [.schedule(.boot, self.spec.bootTimeout), .startProbing(.readiness, booting: true)]
    }

    mutating func adopted(
        _ pid: Int32, _ port: Int?, wasReady: Bool, hasStartedUp: Bool, age: Duration
    ) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        let actions = [Action.emit(.adopted(pid: pid, port: port), .formerHost)]
        guard wasReady else {
            let asksLiveness = hasStartedUp && self.spec.startup != nil && self.spec.liveness != nil
            return actions + self.boot(port, hasStartedUp: hasStartedUp, age: age)
                + (asksLiveness ? [.startProbing(.liveness, booting: false)] : [])
        }
        // It served before: no boot timeout may end it now. It counts as ready when a probe has said so.
        self.beginBoot(port, wasReady: true, age: age)
        guard self.spec.readiness != nil else {
            return actions + self.becomeReady(.noProbe) + self.steadyJobs(withLiveness: true)
        }
        self.state = .unready
        return actions + [.startProbing(.readiness, booting: true)] + self.steadyJobs(withLiveness: true)
    }

    mutating func lost(_ wasRunning: Bool) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        // A wait for a restart that the former host began is begun again: how much of it is over nobody knows.
        return self.afterEnd(by: .byItself, .unknown, cause: wasRunning ? .exit(.unknown) : .formerHost)
    }

    mutating func spawnFailed(_ reason: String) -> [Action] {
        guard self.state == .spawning else { return [] }
        if self.stopAfterSpawn {
            self.state = .finished
            return [.emit(.stopped(self.lastExit), .request), .finish(self.lastExit)]
        }
        guard self.hasRun else {
            self.state = .finished
            return [.failStart(reason), .finish(nil)]
        }
        self.wasReady = false
        return [.failBoot(reason, exit: nil, probe: nil)]
            + self.afterEnd(by: .unhealthy(.launchFailure(reason)), .unknown)
    }
}
