/// From the start to the boot, and the take-over of what a former host left.
extension InstanceMachine {
    mutating func start() -> [Action] {
        guard self.state == .idle else { return [] }
        self.state = .spawning
        return [.spawn]
    }

    mutating func spawned(_ pid: Int32, _ port: Int?) -> [Action] {
        guard self.state == .spawning else { return [] }
        self.hasRun = true
        let started = Action.emit(.started(pid: pid, port: port))
        guard self.stopAfterSpawn else { return [started] + self.boot(port) }
        // It is not told to be ready first, even if nothing would have to be asked: nobody may be sent to it.
        self.beginBoot(port)
        return [started] + self.stop()
    }

    mutating func beginBoot(_ port: Int?) {
        self.port = port
        self.wasReady = false
        self.resetProbes()
        self.state = .booting
    }

    mutating func boot(_ port: Int?) -> [Action] {
        self.beginBoot(port)
        guard self.spec.readiness != nil else { return self.becomeReady() }
        return [.schedule(.boot, self.spec.bootTimeout), .startProbing(.readiness, booting: true)]
    }

    mutating func adopted(_ pid: Int32, _ port: Int?, _ wasReady: Bool) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        let actions = [Action.emit(.adopted(pid: pid, port: port))]
        guard wasReady, self.spec.readiness != nil else { return actions + self.boot(port) }
        // It served before: no boot timeout may end it now. It counts as ready when a probe has said so.
        self.port = port
        self.wasReady = true
        self.resetProbes()
        self.state = .unready
        return actions + [.startProbing(.readiness, booting: true)] + self.steadyJobs()
    }

    mutating func lost(_ wasRunning: Bool) -> [Action] {
        guard self.state == .idle else { return [] }
        self.hasRun = true
        // A wait for a restart that the former host began is begun again: how much of it is over nobody knows.
        return self.afterEnd(by: .byItself, .unknown, isNews: wasRunning)
    }

    mutating func spawnFailed(_ reason: String) -> [Action] {
        guard self.state == .spawning else { return [] }
        if self.stopAfterSpawn {
            self.state = .finished
            return [.emit(.stopped(self.lastExit)), .finish(self.lastExit)]
        }
        guard self.hasRun else {
            self.state = .finished
            return [.failStart(reason), .finish(nil)]
        }
        self.wasReady = false
        return [.failBoot(reason, exit: nil, probe: nil)] + self.afterEnd(by: .unhealthy(reason), .unknown)
    }
}
