/// What the caller asks for.
extension InstanceMachine {
    mutating func restart() -> [Action] {
        switch self.state {
        case .booting, .ready, .unready:
            self.attempts = 0
            return self.end(.restart(.request))
        case .ending(.unhealthy):
            self.state = .ending(.restart(.request))
            return []
        case .clearing(.byItself, let status), .clearing(.unhealthy, let status):
            self.state = .clearing(.restart(.request), status)
            return []
        case .backingOff, .down:
            self.attempts = 0
            return [.cancel(.backoff)] + self.spawn(.request)
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
            return [.record, .emit(.stopping, .request)]
        case .clearing(let ending, let status):
            if ending == .stop { return [] }
            self.state = .clearing(.stop, status)
            return [.record, .emit(.stopping, .request)]
        case .spawning:
            self.stopAfterSpawn = true
            return []
        case .idle, .backingOff, .down:
            self.state = .finished
            return [.cancel(.backoff), .emit(.stopped(self.lastExit), .request), .finish(self.lastExit)]
        case .finished:
            return []
        }
    }
}
