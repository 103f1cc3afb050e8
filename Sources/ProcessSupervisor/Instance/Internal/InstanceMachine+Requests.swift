/// What the caller asks for.
extension InstanceMachine {
    mutating func restart() -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            self.attempts = 0
            return self.end(.restart)
        case .ending(.unhealthy):
            self.state = .ending(.restart)
            return []
        case .clearing(.byItself, let status), .clearing(.unhealthy, let status):
            self.state = .clearing(.restart, status)
            return []
        case .backingOff, .down:
            self.attempts = 0
            self.state = .spawning
            return [.cancel(.backoff), .spawn]
        case .idle, .spawning, .ending, .clearing, .finished:
            return []
        }
    }

    mutating func stop() -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            return self.end(.stop)
        case .ending(let ending):
            if ending == .stop { return [] }
            self.state = .ending(.stop)
            return [.record, .emit(.stopping)]
        case .clearing(let ending, let status):
            if ending == .stop { return [] }
            self.state = .clearing(.stop, status)
            return [.record, .emit(.stopping)]
        case .spawning:
            self.stopAfterSpawn = true
            return []
        case .idle, .backingOff, .down:
            self.state = .finished
            return [.cancel(.backoff), .emit(.stopped(self.lastExit)), .finish(self.lastExit)]
        case .finished:
            return []
        }
    }

    mutating func resetProbes() {
        self.successes = 0
        self.readinessFailures = 0
        self.livenessFailures = 0
        self.lastProbe = nil
    }
}
