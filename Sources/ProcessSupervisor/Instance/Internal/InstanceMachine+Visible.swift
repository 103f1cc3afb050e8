/// What others see of it.
extension InstanceMachine {
    /// The state in the public words.
    var publicState: InstanceState {
        switch self.state {
        case .idle, .spawning, .booting: .starting
        case .ready: .ready
        case .unready: .unready
        case .ending(.stop), .clearing(.stop, _): .stopping
        // It is on its way to its next process.
        case .ending, .clearing: self.wasReady ? .unready : .starting
        case .backingOff: .backingOff
        case .down(let failed): failed ? .failed : .stopped
        case .finished: .stopped
        }
    }

    /// The state in the words of the record; nil when nothing is to be found by the next host.
    var recordedPhase: InstanceRecord.Phase? {
        switch self.state {
        case .idle, .spawning: .starting
        case .booting, .ready, .unready: .running
        case .ending(.stop), .clearing(.stop, _): .stopping
        case .ending, .clearing: .running
        case .backingOff: .backingOff
        case .down, .finished: nil
        }
    }
}
