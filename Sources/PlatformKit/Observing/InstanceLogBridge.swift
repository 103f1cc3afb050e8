public import MetricsCore
public import ProcessSupervisor

/// Brings the output of instances into the log hub.
public struct InstanceLogBridge: OutputHandler {
    private let hub: LogHub

    /// Makes a bridge to the hub.
    public init(hub: LogHub) { self.hub = hub }

    /// Appends the lines under the name of the instance.
    public func receive(_ lines: [OutputLine], from id: InstanceID, labels: [String: String]) {
        guard let application = labels[InstanceLabel.application] else { return }
        let process = InstanceLabel.name(labels)
        self.hub.append(
            lines.map { LogEntry(timestamp: $0.timestamp, source: .app, process: process, text: $0.text) },
            to: application)
        // They are not in the instance's pipe any more: a crash of this process must not lose them. A slow disk is not
        // waited for long, for these threads serve others' output as well.
        self.hub.store(application)
    }
}
