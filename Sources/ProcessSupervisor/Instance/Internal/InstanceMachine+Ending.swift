/// From the first word of an end to what follows it.
extension InstanceMachine {
    mutating func end(_ ending: Ending) -> [Action] {
        let wasServing = self.state == .ready
        self.state = .ending(ending)
        var actions: [Action] = [.stopProbing, .cancel(.boot), .cancel(.stable)]
        switch ending {
        case .stop: actions += [.record, .emit(.stopping)]
        case .restart: if wasServing { actions.append(.emit(.unready(reason: "restarting"))) }
        case .unhealthy(let reason): if wasServing { actions.append(.emit(.unready(reason: reason))) }
        case .byItself: break
        }
        return actions + [.signal(self.spec.stop.signal), .schedule(.grace, self.spec.stop.grace)]
    }

    mutating func exited(_ status: ExitStatus) -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            let wasServing = self.state == .ready
            self.lastExit = status
            self.state = .clearing(.byItself, status)
            // An instance without its main process is over: what is left must not live on beside the next one.
            return (wasServing ? [.emit(.unready(reason: status.description))] : [])
                + [.stopProbing, .cancel(.boot), .cancel(.stable), .kill, .awaitTree]
        case .ending(let ending):
            self.lastExit = status
            self.state = .clearing(ending, status)
            return [.awaitTree]
        default:
            return []
        }
    }

    mutating func treeGone() -> [Action] {
        guard case .clearing(let ending, let status) = self.state else { return [] }
        var actions: [Action] = [.cancel(.grace), .release]
        if ending == .byItself, !self.wasReady {
            actions.append(.failBoot("ended before it was ready: \(status)", exit: status, probe: self.lastProbe))
        }
        return actions + self.afterEnd(by: ending, status)
    }

    mutating func afterEnd(by ending: Ending, _ status: ExitStatus, isNews: Bool = true) -> [Action] {
        self.port = nil
        self.lastExit = status
        // What had to be ended has failed, even if it answered the signal with status 0.
        var verdict = status
        switch ending {
        case .stop:
            self.state = .finished
            return [.emit(.stopped(status)), .finish(status)]
        case .restart:
            self.state = .spawning
            return [.emit(.exited(status, willRestartAfter: .zero)), .spawn]
        case .unhealthy: verdict = .unknown
        case .byItself: break
        }
        guard let backoff = self.spec.restart.backoff(after: verdict) else {
            self.state = .down(failed: verdict != .exited(0))
            return [.emit(.exited(status, willRestartAfter: nil)), .forget]
        }
        guard let wanted = backoff.delay(beforeAttempt: self.attempts + 1, using: &self.randomness) else {
            self.state = .down(failed: true)
            let reason = "gave up after \(self.attempts) restarts in a row; the last time: \(status)"
            return [.emit(.exited(status, willRestartAfter: nil)), .emit(.gaveUp(reason: reason)), .forget]
        }
        let delay = self.pace(wanted)
        self.attempts += 1
        self.state = .backingOff
        return (isNews ? [.emit(.exited(status, willRestartAfter: delay))] : [])
            + [.record, .schedule(.backoff, delay)]
    }
}
