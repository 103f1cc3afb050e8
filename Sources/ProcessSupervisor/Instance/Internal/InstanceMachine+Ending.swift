/// From the first word of an end to what follows it.
extension InstanceMachine {
    mutating func end(_ ending: Ending) -> [Action] {
        let wasServing = self.state == .ready
        self.state = .ending(ending)
        var actions = self.endOfWork
        switch ending {
        case .stop:
            actions += [.record, .emit(.stopping, .request)]
        case .restart(let cause), .unhealthy(let cause):
            if wasServing { actions.append(.emit(.unready, cause)) }
            actions.append(.emit(.ending, cause))
            // What is left gets no grace, as it would not have had where the kernel kills all of it.
            if case .outOfMemory = cause { return actions + [.kill, .schedule(.grace, self.spec.stop.grace)] }
        case .byItself:
            break
        }
        self.awaitsPreStop = self.spec.preStop != nil
        let first = self.awaitsPreStop ? Action.run(.preStop) : .signal(self.spec.stop.signal)
        return actions + [first, .schedule(.grace, self.spec.stop.grace)]
    }

    /// Everything that goes on beside a process that runs, and not beside one that ends.
    private var endOfWork: [Action] {
        [.stopProbing, .cancel(.boot), .cancel(.stable)]
            + (self.spec.recycling?.maxAge == nil ? [] : [.cancel(.recycle)])
            + (self.spec.postStart == nil ? [] : [.endCommand(.postStart)])
    }

    mutating func exited(_ status: ExitStatus) -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            let wasServing = self.state == .ready
            self.lastExit = status
            self.state = .clearing(.byItself, status)
            // An instance without its main process is over: what is left must not live on beside the next one.
            return (wasServing ? [.emit(.unready, .exit(status))] : []) + self.endOfWork + [.kill, .awaitTree]
        case .ending(let ending):
            self.lastExit = status
            self.state = .clearing(ending, status)
            guard self.awaitsPreStop else { return [.awaitTree] }
            // It has ended before it was told to; the others of it have not been told, either.
            self.awaitsPreStop = false
            return [.endCommand(.preStop), .signal(self.spec.stop.signal), .awaitTree]
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

    mutating func afterEnd(
        by ending: Ending, _ status: ExitStatus, cause known: SupervisorEvent.Cause? = nil
    ) -> [Action] {
        self.port = nil
        self.lastExit = status
        self.lastEnd = "\(status)"
        // What had to be ended has failed, even if it answered the signal with status 0.
        var verdict = status
        var cause = known ?? .exit(status)
        switch ending {
        case .stop:
            self.state = .finished
            return [.emit(.stopped(status), .request), .finish(status)]
        case .restart(let wish):
            if case .recycling = wish { self.lastEnd = "\(wish)" }
            return [.emit(.exited(status, willRestartAfter: .zero), wish)] + self.spawn(wish)
        case .unhealthy(let reason):
            verdict = .unknown
            cause = reason
            self.lastEnd = "\(reason)"
        case .byItself:
            break
        }
        guard let backoff = self.spec.restart.backoff(after: verdict) else {
            self.state = .down(failed: verdict != .exited(0))
            return [.emit(.exited(status, willRestartAfter: nil), cause), .forget]
        }
        guard let wanted = backoff.delay(beforeAttempt: self.attempts + 1, using: &self.randomness) else {
            self.state = .down(failed: true)
            self.lastEnd = "gave up after \(self.attempts) restarts in a row; the last time: \(cause)"
            return [
                .emit(.exited(status, willRestartAfter: nil), cause),
                .emit(.gaveUp(restarts: self.attempts), cause), .forget,
            ]
        }
        let delay = self.pace(wanted)
        self.attempts += 1
        self.state = .backingOff
        return [.emit(.exited(status, willRestartAfter: delay), cause), .record, .schedule(.backoff, delay)]
    }
}
